"""Settings of a whole process: what its speed on a CPU depends on, and when it ends."""

import ctypes
import os
import platform
import signal
import sys

import torch

# Parameters of glibc's mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_ONE_GIB = 2**30
_SET_PDEATHSIG = 1  # of Linux's prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def configure_process() -> None:
    """Makes a step as fast as its arithmetic; to be called before the first tensor is made.

    Weights whose pixel is seldom lit have Adam moments that decay into subnormal numbers, below
    1e-38, which a CPU handles in slow motion: a fifth of the dense net's epoch, more with each
    epoch. They count as zero, as in TensorFlow. The C library would give large buffers back to the
    system after each step and clear new pages in the next; it may keep 1 GiB. And where there is no
    GPU, PyTorch's optimiser would look for one in the file system at each step.
    """
    torch.set_flush_denormal(True)  # threads that start later inherit it
    if _LIBC and platform.libc_ver()[0] == "glibc":
        _LIBC.mallopt(_MMAP_THRESHOLD, _ONE_GIB)
        _LIBC.mallopt(_TRIM_THRESHOLD, _ONE_GIB)
    if not torch.cuda.is_available():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def end_with_parent() -> None:
    """To be run in a new process: whatever kills its parent, it must not go on unseen."""
    if _LIBC:
        _LIBC.prctl(_SET_PDEATHSIG, signal.SIGKILL)
