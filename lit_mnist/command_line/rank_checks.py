"""Refuses ranks that cannot work together, before they are started."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import SingleDeviceStrategy, Strategy
from lightning.pytorch.strategies.launchers.multiprocessing import _MultiProcessingLauncher
from torch.distributed import Backend, is_backend_available

from lit_mnist.errors import UserError


def check(trainer: Trainer, devices: Any) -> None:
    """Checks the ranks of a trainer.

    Args:
        trainer: The trainer.
        devices: The option.

    Raises:
        UserError: Naming the option and the remedy.
    """
    check_launcher(trainer.strategy.launcher)
    check_backend(trainer.strategy)
    wanted = len(trainer._accelerator_connector._parallel_devices)
    if isinstance(trainer.strategy, SingleDeviceStrategy) and wanted > 1 and devices != "auto":
        raise UserError(
            f"--trainer.devices {devices}: has no effect, as --trainer.strategy names one of a"
            " single device; leave one of them out"
        )


def check_launcher(launcher: object) -> None:
    """Refuses forked or spawned ranks, which hand back neither what a test finds nor an error.

    Raises:
        UserError: Naming the strategy to take.
    """
    if isinstance(launcher, _MultiProcessingLauncher):
        raise UserError(
            "--trainer.strategy: ranks that are forked or spawned hand no results back; take ddp,"
            " which starts a program for each, from a terminal"
        )


def check_backend(strategy: Strategy) -> None:
    """Refuses a backend of `process_group_backend` that this PyTorch, or the device, has not.

    Raises:
        UserError: Naming the option and the backend to take.
    """
    given = getattr(strategy, "process_group_backend", None)
    if given is None:
        return
    device = strategy.root_device.type
    named = given.lower()
    pairs = dict(pair.partition(":")[::2] for pair in named.split(",") if ":" in pair)
    backend = pairs.get(device, "") if pairs else named
    works = bool(backend) and is_backend_available(backend)
    if not works or device not in Backend.backend_capability.get(backend, [device]):
        usual = Backend.default_device_backend_map.get(device)
        raise UserError(
            f"--trainer.strategy.process_group_backend {given!s:.99}: ranks cannot use it on this"
            f" device ({device}); {f'take {usual}, or ' if usual else ''}leave it out"
        )
