"""The work-around `files_in_order`: TensorBoard's files in the order in which they were begun."""

import functools
import time
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

from tensorboard.summary.writer import event_file_writer  # type: ignore[import-untyped] # no types

from lit_mnist.logs import kept_events
from lit_mnist.machine.patching import replaced


def files_in_order() -> AbstractContextManager[None]:
    """Dates a new file of events later than those that are in its folder, in its name.

    TensorBoard reads files in the order of their names, which begin with the second in which they
    were begun (tensorboard/summary/writer/event_file_writer.py, `EventFileWriter`). Once the clock
    was set back, the file of a run that goes on would come before those of the same run: points of
    before the resume would be hidden, and others be there twice.
    """
    begin = event_file_writer.EventFileWriter.__init__

    @functools.wraps(begin)
    def later(writer: Any, logdir: str, *args: Any, **options: Any) -> None:
        dates = (path.name.split(".")[3] for path in kept_events.files(logdir))
        newest = max((int(date) for date in dates if date.isdecimal()), default=0)
        date = iter([max(time.time(), newest + 1)])  # asked for first; then when to flush
        clock = SimpleNamespace(time=lambda: next(date, time.time()))
        with replaced((event_file_writer, "time", clock)):
            begin(writer, logdir, *args, **options)

    return replaced((event_file_writer.EventFileWriter, "__init__", later))
