"""How long threads that share an operation wait for each other before they leave their core."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What a user may set instead
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_BRIEFLY = "1000"  # turns of a loop, as GCC itself chooses for more threads than cores
_LOOKS, _APART_S = 5, 0.002


@contextmanager
def limited(root: Path = Path("/")) -> Iterator[None]:
    """Lets the threads of torch, imported here, sleep sooner if others keep cores busy now.

    With GCC's OpenMP, which PyTorch has on Linux, a thread that is done spins for 300,000 turns. If
    another program has the core of the thread that it waits for, it keeps its own core from that
    thread in vain, in each operation. On an idle machine, waking up costs more than spinning.

    It changes no result, and nothing that the user has set.

    Args:
        root: The folder that holds /proc and /sys.
    """
    limits = not os.environ.keys() & {*VARIABLES} and _crowded(root)
    if limits:
        os.environ[VARIABLES[0]] = _BRIEFLY
    try:
        yield
    finally:
        if limits:  # OpenMP has read it; processes that this one starts look for themselves
            os.environ.pop(VARIABLES[0], None)


def _crowded(root: Path) -> bool:
    """Whether other programs leave too few cores; not known if this one may use some only."""
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return usable == cores and _others(root) + min(cores, _threads(root, cores)) > cores


def _threads(root: Path, cores: int) -> int:
    """Returns how many threads PyTorch takes: by default one for each physical core."""
    with suppress(ValueError):
        return int(os.environ.get("OMP_NUM_THREADS", ""))
    siblings = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    with suppress(OSError):
        return len({path.read_text() for path in siblings}) or cores
    return cores


def _others(root: Path) -> int:
    """Counts the threads of other programs that run at each of several moments; 0 if not Linux."""
    running = []
    with suppress(OSError, ValueError, IndexError):
        for _ in range(_LOOKS):
            time.sleep(_APART_S)
            running.append(int((root / "proc/loadavg").read_text().split()[3].partition("/")[0]))
    return max(0, min(running, default=0) - 1)  # this program is one of them
