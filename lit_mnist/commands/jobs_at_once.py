"""How many runs of `fit` train at once by default."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import torch

from lit_mnist.command_line.arguments import find_config
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.doctor.cores import cores
from lit_mnist.machine import control_groups, hardware
from lit_mnist.runs.run_config import flat, read_config

# A run's processes take up to 1 GiB (dense, simple and deep on a CPU); half as much in reserve
RUN_GIB = 1.5
# Options by which a run itself uses several devices
SPREADING = ("trainer.devices", "trainer.num_nodes", "trainer.strategy")


def jobs_at_once(specs: Sequence[RunSpec], root: Path = Path("/")) -> int:
    """Returns how many runs train at once: one per GPU, or else one per core, as memory allows.

    Two runs of one thread each finish 1.1 to 1.2 times as fast as one after the other with two
    threads (the notebook's nets), as threads wait for each other within each step. The number is
    limited by the number of runs, `OMP_NUM_THREADS`, CPU affinity and control groups; it is one if
    the runs themselves use several devices, and on an Apple GPU, which all of them would share.

    Args:
        specs: The runs.
        root: The folder of /proc and /sys, for tests.
    """
    if any(map(spreads, specs)):
        return 1
    kinds = {hardware.device_type(_option(spec, "trainer.accelerator")) for spec in specs}
    if "cuda" in kinds:
        return max(1, min(len(specs), torch.cuda.device_count()))
    if "mps" in kinds:
        return 1
    places = min(len(specs), torch.get_num_threads(), cores(root).usable)
    free = free_gib(root)
    return max(1, places if free is None else min(places, int(free / RUN_GIB)))


def free_gib(root: Path = Path("/")) -> float | None:
    """Returns the memory available to this process, in GiB; None if it is unknown.

    That is the machine's available memory, or the limit of the control groups if it is smaller.
    What the groups use already is not subtracted, as most of it is cached files.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None
    names = ("memory.max", "memory.limit_in_bytes")  # of version 2 and 1
    texts = [_text(one / name) for one in control_groups.folders("memory", root) for name in names]
    limits = [int(text) for text in texts if text.isdecimal()]  # "max" means no limit
    return min([free, *limits]) / 2**30


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # a group that is not visible inside a container
        return ""


def spreads(spec: RunSpec) -> bool:
    """Returns whether a run may itself use several devices, or names the one to use."""
    return any(str(_option(spec, name)) not in ("auto", "1", "None") for name in SPREADING)


def _option(spec: RunSpec, name: str) -> object:
    """Returns the value of a run's option: as typed, else the last config's, else auto."""
    files = [flat(read_config(Path(find_config(config)))) for config in spec.configs]
    keys = (name, f"{name}.class_path")  # of a value, or of a class with its own options
    set_there = [file[key] for file in files for key in keys if key in file]
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{name}", dest="typed", default=["auto", *set_there][-1])
    return parser.parse_known_args(spec.typed)[0].typed
