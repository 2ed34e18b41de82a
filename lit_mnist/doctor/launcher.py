"""Checks the processes of torchrun or SLURM against the config."""

import os
from collections.abc import Mapping

from lit_mnist.doctor.finding import Finding
from lit_mnist.errors import UserError
from lit_mnist.machine.launcher import by_slurm, launched


def launcher(devices: object, num_nodes: int, environ: Mapping[str, str] = os.environ) -> Finding:
    """Compares the number of processes that were started with that of the config.

    Args:
        devices: Value of `--trainer.devices`: "auto", a number, also as text, or a list of
            indices.
        num_nodes: Value of `--trainer.num_nodes`.
        environ: Environment variables.
    """
    try:
        detected = launched()
    except UserError as error:
        return Finding("launcher", "error", str(error))
    except (KeyError, ValueError) as error:
        text = f"torchrun or SLURM has left a variable out, or no number in it: {error}"
        return Finding("launcher", "error", text, "start again with torchrun or srun")
    if detected is None:
        return _alone(environ)
    name = "SLURM" if by_slurm() else "torchrun"
    text = f"{name}: {detected.devices} processes on each node, {detected.num_nodes} nodes"
    configured = _count(devices), num_nodes
    if (devices, num_nodes) == ("auto", 1) or configured == tuple(detected):
        return Finding("launcher", "ok", text)
    text += f"; the config has {devices} devices, {num_nodes} nodes"
    remedy = "leave --trainer.devices and --trainer.num_nodes out"
    return Finding("launcher", "error", text, remedy)


def _alone(environ: Mapping[str, str]) -> Finding:
    """Warns of variables left by an earlier launcher: a run would wait for other processes."""
    leftover = [name for name in ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK") if name in environ]
    if leftover:
        text = f"{', '.join(leftover)} set, but by neither torchrun nor srun"
        return Finding("launcher", "warning", text, f"unset {' '.join(leftover)}")
    return Finding("launcher", "ok", "none: this process alone")


def _count(devices: object) -> int | None:
    """Returns the number of devices on a machine; None if the config leaves it to Lightning."""
    if isinstance(devices, (list, tuple)):
        return len(devices)
    text = str(devices)
    return int(text) if text.isdecimal() else None
