"""Whether callbacks put other weights in place for an evaluation than those that were loaded.

An average that a callback swaps in as a test starts is in no checkpoint, so that its scores are of
no file. A module's own hooks are part of the module, and may swap (`models/evaluation_hooks`).
"""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lit_mnist import trainers
from lit_mnist.models.evaluation_hooks import STAGES, STARTS
from lit_mnist.training.validated_weights import copied, same, values

BY_CALLBACK = "a callback has"  # how the descriptions of what a callback has changed begin
_STARTS = tuple(f"on_{stage}_{start}" for stage in STAGES for start in STARTS)
# Only modules have a hook on_…_model_eval
_HOOKS = ("on_load_checkpoint", *(hook for hook in _STARTS if hasattr(Callback, hook)))


class _Before(Callback):
    """Notes the weights before the callbacks are called."""

    def __init__(self) -> None:
        self.noted: dict[str, Tensor] = {}

    def note(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        """Copies the weights, but not at the start of later batches."""
        if not any(rest[1:]):
            self.noted = copied(pl_module)


class AfterCallbacks(Callback):
    """Compares the weights once the callbacks were called.

    `module_callbacks` puts it behind those of the module.

    Args:
        before: Notes the weights before.
    """

    def __init__(self, before: _Before) -> None:
        self.before, self.swapped = before, ""  # the name of a weight

    def compare(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        """Compares the weights, but not at the start of later batches."""
        if self.swapped or any(rest[1:]):
            return
        before, now = self.before.noted, values(pl_module)
        self.before.noted = {}
        others = (name for name in before | now if not same(before.get(name), now.get(name)))
        self.swapped = next(others, "")


for hook in _HOOKS:
    setattr(_Before, hook, _Before.note)
    setattr(AfterCallbacks, hook, AfterCallbacks.compare)


def watch(trainer: Trainer) -> None:
    """Adds what `found` reads, around the trainer's callbacks."""
    before = _Before()
    trainers.surround(trainer, before, AfterCallbacks(before))


def found(trainer: Trainer) -> str:
    """Tells which weights a callback has swapped; empty if none has.

    Args:
        trainer: A trainer that is evaluating or has evaluated, after `watch`.
    """
    after = trainers.callbacks_of(trainer, AfterCallbacks)
    name = next((one.swapped for one in after if one.swapped), "")
    return name and f"{BY_CALLBACK} swapped {name}"
