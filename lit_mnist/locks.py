"""Locks by which processes of one machine keep out of each other's way."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path


def lock(path: Path, stack: contextlib.ExitStack) -> bool:
    """Locks a file or folder until the stack is closed; returns False if it is locked already.

    Nothing is kept out where files cannot be locked: on Windows, and in some network file systems.
    """
    with contextlib.suppress(OSError, ImportError), contextlib.ExitStack() as opened:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
        opened.callback(os.close, descriptor)  # which unlocks it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        stack.enter_context(opened.pop_all())
    return True


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keeps other processes of this machine out of such a block for the same folder.

    The folder itself is locked, so that no file is left over. Nothing is kept out where there is no
    folder yet, or after ten seconds, for which only another program would hold the lock.
    """
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            if lock(folder, stack):
                break
            time.sleep(0.01)
        yield
