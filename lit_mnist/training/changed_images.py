"""Whether callbacks change the images or labels of an evaluation, before its step scores them.

`on_…_batch_start` gets the very batch that the step gets, so that noise which a callback adds in
place is scored. Its scores are not of the images on disk. A module's own hooks are part of the
module, and may change them (`models/evaluation_hooks`).
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lit_mnist import trainers
from lit_mnist.data.batches import Batch
from lit_mnist.machine.patching import overrides
from lit_mnist.machine.ranks import of_each_rank
from lit_mnist.messages import warn
from lit_mnist.models.evaluation_hooks import STAGES
from lit_mnist.training import swapped_weights

_HOOKS = tuple(f"on_{stage}_batch_start" for stage in STAGES)


class _Original(Callback):
    """Copies what a batch holds before the callbacks are called, if one of the user's is."""

    def __init__(self) -> None:
        self.noted: list[Tensor] = []

    def note(self, trainer: Trainer, pl_module: LightningModule, batch: Any, *rest: Any) -> None:
        """Copies the tensors of the batch."""
        self.noted = [one.clone() for one in _tensors(batch)] if _acting(trainer) else []


class AfterChanges(Callback):
    """Compares a batch with its copy once the callbacks were called.

    `module_callbacks` puts it behind those of the module.

    Args:
        original: Has the copy.
    """

    def __init__(self, original: _Original) -> None:
        self.original, self.changed = original, False

    def compare(self, trainer: Trainer, pl_module: LightningModule, batch: Any, *rest: Any) -> None:
        """Compares the tensors of the batch, and tells `fit` at once if others are scored."""
        noted, self.original.noted = self.original.noted, []
        if self.changed or not noted or _same(noted, _tensors(batch)):
            return
        self.changed = True
        if trainer.state.fn == TrainerFn.FITTING:
            warn(
                f"{' or '.join(_acting(trainer))} changes the images of a validation in"
                " on_validation_batch_start: val_acc and val_loss are not of those on disk"
            )


for hook in _HOOKS:
    setattr(_Original, hook, _Original.note)
    setattr(AfterChanges, hook, AfterChanges.compare)


def watch(trainer: Trainer) -> None:
    """Adds what `found` reads, around the trainer's callbacks."""
    original = _Original()
    trainers.surround(trainer, original, AfterChanges(original))


def found(trainer: Trainer) -> str:
    """Tells that a callback has changed what is scored; empty if none has.

    Args:
        trainer: A trainer that is evaluating or has evaluated, after `watch`.
    """
    changed = any(one.changed for one in trainers.callbacks_of(trainer, AfterChanges))
    return f"{swapped_weights.BY_CALLBACK} changed the images" if changed else ""


def on_any_rank(trainer: Trainer) -> tuple[str, str]:
    """Returns what `swapped_weights.found` tells, and `found`; every rank must call it."""
    here = swapped_weights.found(trainer), found(trainer)
    swapped, changed = zip(*of_each_rank(trainer, here), strict=True)
    return max(swapped), max(changed)  # empty only if all are


def _acting(trainer: Trainer) -> list[str]:
    """Names the user's callbacks that are called with each batch: only for them is it copied."""
    own = [
        type(one)
        for one in trainers.callbacks(trainer)
        if not type(one).__module__.startswith(("lit_mnist.", "lightning."))
        and any(overrides(one, Callback, hook) for hook in _HOOKS)
    ]
    return list(dict.fromkeys(kind.__name__ for kind in own))


def _tensors(batch: Any) -> list[Tensor]:
    """Returns the images and labels of a batch of the data module's."""
    return list(batch) if isinstance(batch, Batch) else []


def _same(before: list[Tensor], now: list[Tensor]) -> bool:
    pairs = zip(before, now, strict=False)
    return len(before) == len(now) and all(torch.equal(*pair) for pair in pairs)
