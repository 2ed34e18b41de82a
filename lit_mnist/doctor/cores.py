"""The cores that this process may use: of the machine, by its affinity, by its control groups."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Cores(NamedTuple):
    """How many cores a process may use, as each of three says."""

    machine: int
    affinity: int  # as taskset or SLURM has set it
    quota: float | None  # as control groups have set it, in cores; None without a limit

    @property
    def usable(self) -> int:
        """The fewest of the three, rounded up, as part of a core is used by a thread, too."""
        return min(self.affinity, self.machine, math.ceil(self.quota or self.machine))

    def __str__(self) -> str:
        """Names what limits them."""
        limits = [f"{self.machine} in the machine"]
        if self.affinity < self.machine:
            limits.append(f"{self.affinity} by affinity")
        if self.quota is not None and self.quota < self.machine:
            limits.append(f"{self.quota:.3g} by control group")
        return ", ".join(limits)


def cores(root: Path = Path("/")) -> Cores:
    """Asks the system; `root` is where /proc and /sys lie."""
    machine = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    return Cores(machine, affinity, quota(root))


def quota(root: Path = Path("/")) -> float | None:
    """Gives the cores that control groups of version 1 or 2 grant this process; None: all.

    A limit holds for all groups below, so the smallest on the way up counts.
    """
    found = [limit for folder in _folders(root) if (limit := _limit(folder)) is not None]
    return min(found, default=None)


def _folders(root: Path) -> Iterator[Path]:
    """Gives this process's groups that may limit its cores, and those above them.

    A container may be told its path from outside, which it does not see; its own limits lie at the
    top.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        below = Path(path.lstrip("/"))
        for place in [""] if not controllers else [controllers, "cpu"]:
            for part in (below, *below.parents):
                yield root / "sys/fs/cgroup" / place / part


def _limit(folder: Path) -> float | None:
    """Reads the limit of one group, in cores."""
    try:
        if (folder / "cpu.max").is_file():  # version 2: "max 100000", or "150000 100000"
            granted, period = (folder / "cpu.max").read_text().split()
        else:
            granted = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return int(granted) / int(period) if granted not in ("max", "-1") else None
    except (OSError, ValueError):
        return None
