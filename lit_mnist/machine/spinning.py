"""How long threads that share an operation wait for each other before they leave their core."""

import os
import time
from contextlib import suppress
from pathlib import Path

# What a user may set instead
VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_BRIEFLY = "1000"  # turns of a loop, as GCC itself chooses for more threads than cores
_LOOKS, _APART_S = 5, 0.002


def limit_spinning(root: Path = Path("/")) -> None:
    """Lets threads sleep sooner if other programs keep cores busy.

    With GCC's OpenMP, which PyTorch has on Linux, a thread that is done spins for 300,000 turns. If
    another program has the core of the thread that it waits for, it keeps its own core from that
    thread in vain, in each operation. On an idle machine, waking up costs more than spinning.

    It changes no result, and nothing that the user has set. Call it before torch is imported.

    Args:
        root: The folder that holds /proc.
    """
    crowded = _others(root) + _threads() > (os.cpu_count() or 1)
    if crowded and not os.environ.keys() & {*VARIABLES}:
        os.environ[VARIABLES[0]] = _BRIEFLY


def _threads() -> int:
    with suppress(ValueError):
        return int(os.environ.get("OMP_NUM_THREADS", ""))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _others(root: Path) -> int:
    """Counts the threads of other programs that run at each of several moments; 0 if not Linux."""
    running = []
    with suppress(OSError, ValueError, IndexError):
        for _ in range(_LOOKS):
            time.sleep(_APART_S)
            running.append(int((root / "proc/loadavg").read_text().split()[3].partition("/")[0]))
    return max(0, min(running, default=0) - 1)  # this program is one of them
