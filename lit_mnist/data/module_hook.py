"""Calls the module's own batch hook, which Lightning leaves out beside a data module's."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden

HOOK = "on_after_batch_transfer"


def after_transfer(trainer: Trainer | None, batch: Any, dataloader_idx: int) -> Any:
    """Returns a batch on its device as the module's own `on_after_batch_transfer` leaves it.

    Args:
        trainer: The data module's; None in a loop of the user's own.
        batch: What the data module has prepared.
        dataloader_idx: As Lightning gives it.
    """
    module = None if trainer is None else trainer.lightning_module
    if module is None or not is_overridden(HOOK, module):
        return batch
    return module.on_after_batch_transfer(batch, dataloader_idx)
