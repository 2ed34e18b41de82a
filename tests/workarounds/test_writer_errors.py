"""What TensorBoard's thread cannot write."""

import errno
import os
from types import SimpleNamespace

import pytest
from tensorboard.summary.writer import event_file_writer

from lit_mnist.workarounds import applied


class FullDisk:
    """A file that nothing can be written to."""

    filename = b"events"

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def failed_writer():
    """The error that a writer of TensorBoard's tells of a full disk, after its thread's end."""
    record_writer = SimpleNamespace(_writer=FullDisk(), write=FullDisk().write)
    writer = event_file_writer._AsyncWriter(record_writer)
    with pytest.raises(OSError, match="No space") as caught:  # noqa: PT012 # by either write
        writer.write(b"one")
        writer._worker.join()
        writer.write(b"two")
    return caught.value.filename


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_upstream_still_does_not_name_a_file_that_cannot_be_written():
    assert failed_writer() is None


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_file_of_tensorboard_s_that_cannot_be_written_is_named_once():
    with applied.applied():
        assert failed_writer() == b"events"
