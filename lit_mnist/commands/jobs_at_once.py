"""How many runs of `fit` train at once, if the user leaves it to the program."""

from collections.abc import Sequence
from pathlib import Path

import torch

from lit_mnist.commands.arguments import find_config
from lit_mnist.commands.run_spec import RunSpec
from lit_mnist.doctor.cores import cores
from lit_mnist.runs.folder import flat, read_config

# A run's processes hold 1 GiB at most (dense, simple and deep on a CPU); half as much to spare
RUN_GIB = 1.5
# By which a run itself takes several devices
SPREADING = ("trainer.devices", "trainer.num_nodes", "trainer.strategy")


def jobs_at_once(specs: Sequence[RunSpec], root: Path = Path("/")) -> int:
    """Gives how many runs train at once: one a GPU, or else one a core, as memory allows.

    Two runs of one thread each are done sooner than one after the other with two threads, by 1.1
    to 1.2 with the notebook's nets, as threads wait for each other within each step. Never more
    than there are runs, than `OMP_NUM_THREADS`, affinity or control groups grant; one, if the runs
    themselves take several devices.

    Args:
        specs: The runs.
        root: Where /proc and /sys lie.
    """
    if any(map(_spreads, specs)):
        return 1
    if torch.cuda.is_available():
        return max(1, min(len(specs), torch.cuda.device_count()))
    places = min(len(specs), torch.get_num_threads(), cores(root).usable)
    free = free_gib(root)
    return max(1, places if free is None else min(places, int(free / RUN_GIB)))


def free_gib(root: Path = Path("/")) -> float | None:
    """Gives the memory that is left to this process, in GiB; None where the system tells nothing.

    That is what the machine has left, or less by a limit of the control groups; what they hold
    already is not counted, as most of it is files that were read.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None
    return min([free, *_group_limits(root)]) / 2**30


def _group_limits(root: Path) -> list[int]:
    """Gives the limits, in bytes, of this process's groups of version 1 or 2 and those above."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        below = Path(path.lstrip("/"))
        for part in (below, *below.parents):
            text = _text(root / "sys/fs/cgroup" / controllers / part / name)
            found += [int(text)] if text.isdecimal() else []  # not "max", which is no limit
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # a group that is not seen from inside a container
        return ""


def _spreads(spec: RunSpec) -> bool:
    """Tells whether a run may itself take several devices."""
    typed = {arg.partition("=")[0].removeprefix("--") for arg in spec.typed}
    files = [flat(read_config(Path(find_config(name)))) for name in spec.configs]
    named = {key for file in files for key, value in file.items() if value not in ("auto", 1, None)}
    return not (typed | named).isdisjoint(SPREADING)
