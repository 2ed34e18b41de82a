"""Values of `--trainer.*` that Lightning takes without a word, or fails at later without a name."""

import os
from collections.abc import Mapping
from typing import Any

from lit_mnist.errors import UserError

# The least that makes sense, where Lightning does not look
_LEAST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "fast_dev_run": 0,
    "gradient_clip_val": 0,
    "limit_predict_batches": 0,
    "limit_test_batches": 0,
    "limit_train_batches": 0,
    "limit_val_batches": 0,
    "log_every_n_steps": 0,
    "max_epochs": -1,
    "min_epochs": 0,
    "min_steps": 0,
    "num_nodes": 1,
    "num_sanity_val_steps": -1,
    "val_check_interval": 0,
}
_FEW = 8  # processes on a CPU that are no mistake, however few its cores


def check(trainer: Mapping[str, Any]) -> None:
    """Checks the values as they were parsed.

    Raises:
        UserError: Naming the option and what it may be.
    """
    for name, least in _LEAST.items():
        value = trainer.get(name)
        if isinstance(value, (int, float)) and not value >= least:
            raise UserError(f"--trainer.{name} {value}: take {least} or more")
    _check_processes(trainer.get("devices"), trainer.get("accelerator"))


def _check_processes(devices: Any, accelerator: Any) -> None:
    """Refuses what starts so many processes that the machine comes to a halt."""
    most = max(_FEW, os.cpu_count() or 1)
    count = int(devices) if str(devices).isdecimal() else 1
    if count > most and accelerator in ("auto", "cpu"):
        raise UserError(
            f"--trainer.devices {devices}: each is a process of its own on a CPU; take {most} or"
            " fewer"
        )
