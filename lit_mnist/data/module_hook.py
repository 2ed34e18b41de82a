"""A module's own batch hooks, and the run's precision: beside a data module's, and by hand."""

from collections.abc import Callable
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError

HOOK = "on_after_batch_transfer"


def in_precision(trainer: Trainer | None, images: Tensor) -> Tensor:
    """Converts images as Lightning converts a batch's, which it has done while these were uint8."""
    return images if trainer is None else trainer.precision_plugin.convert_input(images)


def in_each(prepare: Callable[[Batch], Batch], batch: Any) -> Any:
    """Prepares a batch, or each of those that a CombinedLoader has put together."""
    if isinstance(batch, Batch):
        return prepare(batch)
    if type(batch) is dict:
        return {name: in_each(prepare, one) for name, one in batch.items()}
    if type(batch) in (list, tuple):
        return type(batch)(in_each(prepare, one) for one in batch)
    return batch


def after_transfer(trainer: Trainer | None, batch: Any, dataloader_idx: int) -> Any:
    """Returns a batch on its device as the module's own `on_after_batch_transfer` leaves it.

    Args:
        trainer: The data module's; None in a loop of the user's own.
        batch: What the data module has prepared.
        dataloader_idx: As Lightning gives it.

    Raises:
        UserError: The hook does not return the batch, on whose fields all reports rely.
    """
    module = None if trainer is None else trainer.lightning_module
    if module is None or not is_overridden(HOOK, module):
        return batch
    changed = module.on_after_batch_transfer(batch, dataloader_idx)
    if isinstance(batch, Batch) and not isinstance(changed, Batch):
        raise UserError(
            f"{type(module).__name__}.{HOOK} returns a {type(changed).__name__}; return the batch"
            " that it gets, changed as in batch.replace(images=…)"
        )
    return changed


def transferred(trainer: Trainer, batch: Batch) -> Batch:
    """Returns a loader's batch as a trainer gives it to a step: on its device, after all hooks."""
    module = trainer.lightning_module
    batch = module._on_before_batch_transfer(batch, dataloader_idx=0)
    prepared: Batch = trainer.strategy.batch_to_device(batch, dataloader_idx=0)
    return prepared
