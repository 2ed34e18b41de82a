"""Checks the number of threads against the number of cores."""

import os
from collections.abc import Mapping

from lit_mnist.doctor.cores import Cores
from lit_mnist.doctor.finding import Finding

VARIABLE = "OMP_NUM_THREADS"


def threads(
    cores: Cores, running: int | None = None, environ: Mapping[str, str] = os.environ
) -> Finding:
    """Compares the number of threads with that of cores.

    Args:
        cores: Cores that this process may use.
        running: PyTorch's number of threads; None if PyTorch cannot be imported.
        environ: Environment variables.
    """
    setting = environ.get(VARIABLE, "")
    first = setting.partition(",")[0]  # the outermost of nested levels
    if setting and not (first.isdecimal() and int(first)):
        text = f"{VARIABLE}={setting} is not a number of threads"
        return Finding("threads", "warning", text, f"unset it, or set it to {cores.usable}")
    count = running or (int(first) if setting else cores.usable)
    processes = _processes_here(environ)
    where = f" in each of {processes} processes" if processes > 1 else ""
    text = f"{count}{where}, for {cores.usable} cores ({cores})"
    best = max(1, cores.usable // processes)
    if count * processes > cores.usable and count > 1:
        return Finding("threads", "warning", f"too many: {text}", f"set {VARIABLE}={best}")
    if setting and count < best and processes == 1:
        remedy = f"unset {VARIABLE}, unless other programs need the rest"
        return Finding("threads", "warning", f"fewer than possible: {text}", remedy)
    return Finding("threads", "ok", text)


def _processes_here(environ: Mapping[str, str]) -> int:
    """Returns the number of processes that torchrun has started on this machine."""
    count = environ.get("LOCAL_WORLD_SIZE", "1")
    return int(count) if count.isdecimal() and int(count) else 1
