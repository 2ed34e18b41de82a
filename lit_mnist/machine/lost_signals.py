"""Ctrl-C and SIGTERM where Python allows no exception."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PAUSE_S = 0.05  # until the place that allows no exception has been left


@contextmanager
def sent_again() -> Iterator[None]:
    """Sends a signal again whose exception was lost.

    Python drops what is raised in a `__del__` or a weak reference's callback. Each import has one
    (importlib/_bootstrap.py, `_get_module_lock`), so that a command could miss its Ctrl-C.
    """
    before = sys.unraisablehook

    def hook(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            _send(signal.SIGINT)
        elif issubclass(lost.exc_type, SystemExit):  # as main makes it of SIGTERM
            _send(signal.SIGTERM)
        else:
            before(lost)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _send(number: int) -> None:
    timer = threading.Timer(PAUSE_S, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
