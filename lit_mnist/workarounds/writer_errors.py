"""The work-around `writer_errors`: errors of the thread that writes TensorBoard's files."""

import functools
from contextlib import AbstractContextManager, suppress
from typing import Any

from tensorboard.summary.writer import event_file_writer  # type: ignore[import-untyped] # no types

from lit_mnist.machine.patching import replaced


def writer_errors() -> AbstractContextManager[None]:
    """Tells once, and with the file's name, that a file of TensorBoard's cannot be written.

    Its thread hands the error to whatever writes next, without a name, and prints a traceback as
    well (tensorboard/summary/writer/event_file_writer.py, `_AsyncWriterThread.run`).
    """
    run = event_file_writer._AsyncWriterThread.run
    check = event_file_writer._AsyncWriter._check_worker_status

    @functools.wraps(run)
    def silent(thread: Any) -> None:
        with suppress(OSError):  # kept in `thread.exception`
            run(thread)

    @functools.wraps(check)
    def named(writer: Any) -> None:
        error = writer._worker.exception
        if isinstance(error, OSError) and error.errno and not error.filename:
            error.filename = getattr(writer._writer._writer, "filename", None)
        check(writer)

    return replaced(
        (event_file_writer._AsyncWriterThread, "run", silent),
        (event_file_writer._AsyncWriter, "_check_worker_status", named),
    )
