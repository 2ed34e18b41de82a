"""The cores that this process may use, as limited by its affinity and its control groups."""

import math
import os
from pathlib import Path
from typing import NamedTuple

from lit_mnist.machine import control_groups


class Cores(NamedTuple):
    """Number of cores that a process may use, by each of three limits."""

    machine: int
    affinity: int  # set by taskset or SLURM
    quota: float | None  # set by control groups, in cores; None without a limit

    @property
    def usable(self) -> int:
        """The smallest limit, rounded up, as a thread can also use part of a core."""
        return min(self.affinity, self.machine, math.ceil(self.quota or self.machine))

    def __str__(self) -> str:
        """Names the limits that apply."""
        limits = [f"{self.machine} in the machine"]
        if self.affinity < self.machine:
            limits.append(f"{self.affinity} by affinity")
        if self.quota is not None and self.quota < self.machine:
            limits.append(f"{self.quota:.3g} by control group")
        return ", ".join(limits)


def cores(root: Path = Path("/")) -> Cores:
    """Reads the limits from the system; `root` is the folder that holds /proc and /sys."""
    machine = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    return Cores(machine, affinity, quota(root))


def quota(root: Path = Path("/")) -> float | None:
    """Returns the cores that control groups, version 1 or 2, grant this process; None: all.

    A limit applies to all groups below it, so the smallest on the path to the root counts.
    """
    groups = control_groups.folders("cpu", root)
    found = [limit for folder in groups if (limit := _limit(folder)) is not None]
    return min(found, default=None)


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
