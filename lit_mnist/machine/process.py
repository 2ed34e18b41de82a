"""Settings of a whole process: for speed on a CPU, and to end with its parent."""

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lit_mnist.machine import environment

# Parameters of glibc's mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_ONE_GIB = 2**30
_SET_PDEATHSIG = 1  # of Linux's prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def configure_process() -> None:
    """Removes overhead from training steps on a CPU; call it before the first tensor is created.

    - Adam's moments for weights of pixels that are rarely set decay to subnormal numbers, below
      1e-38, which are very slow on a CPU: they cost a fifth of the dense net's epoch, and more with
      each epoch. They are flushed to zero, as in TensorFlow.
    - The C library would return large buffers to the system after each step and clear new pages in
      the next; here it may keep 1 GiB.
    - Without a GPU, PyTorch's optimiser would search the file system for one at each step.
    """
    torch.set_flush_denormal(True)  # threads that start later inherit it
    if _LIBC and platform.libc_ver()[0] == "glibc":
        _LIBC.mallopt(_MMAP_THRESHOLD, _ONE_GIB)
        _LIBC.mallopt(_TRIM_THRESHOLD, _ONE_GIB)
    if not torch.cuda.is_available():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


@contextmanager
def configured() -> Iterator[None]:
    """Configures the process inside the context, and restores what can be restored afterwards.

    For a notebook that calls `lit_mnist.main.main`: the environment, this thread's handling of
    subnormal numbers, and what `--trainer.deterministic` and `--trainer.benchmark` set in PyTorch
    are restored. Thread pools of PyTorch and the C library's thresholds are not.
    """
    flushed, strict = flushes_denormals(), torch.get_deterministic_debug_mode()
    cudnn = torch.backends.cudnn
    chosen = cudnn.benchmark, cudnn.deterministic
    try:
        with environment.restored():
            configure_process()
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_deterministic_debug_mode(strict)
        cudnn.benchmark, cudnn.deterministic = chosen


def flushes_denormals() -> bool:
    """Whether this thread flushes subnormal numbers to zero; PyTorch cannot report it."""
    return not float(torch.tensor(1e-30) * 1e-10)


def end_with_parent() -> None:
    """Makes Linux end this process when its parent is killed; call it in a new process."""
    if _LIBC:
        _LIBC.prctl(_SET_PDEATHSIG, signal.SIGKILL)
