"""Notes in a checkpoint what it lacks for an exact resume."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelPruning
from lightning.pytorch.trainer.states import TrainerStatus
from torch.nn.utils import prune

from lit_mnist import trainers
from lit_mnist.runs import entries


class Lacks(Callback):
    """Notes what is lacking: it can be tested, but a run resumed from it would differ."""

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes it, and saves pruned weights without their masks."""
        if trainer.fit_loop._should_accumulate():
            checkpoint[entries.LACKS] = "gradients"
        elif _within_a_step(trainer):
            checkpoint[entries.LACKS] = "end of step"
        elif _before_the_end(trainer):
            checkpoint[entries.LACKS] = "end of epoch"
        if trainers.callbacks_of(trainer, ModelPruning) and prune.is_pruned(pl_module):
            checkpoint[entries.LACKS] = "masks"
            checkpoint["state_dict"] = _unmasked(checkpoint["state_dict"])


def _within_a_step(trainer: Trainer) -> bool:
    """Whether an error or Ctrl-C has interrupted a training step or a validation.

    OnExceptionCheckpoint saves then. A resumed run would leave out what was left of it.
    """
    if trainer.state.status != TrainerStatus.INTERRUPTED:
        return False
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return trainer.validating or batches.ready != batches.processed


def _before_the_end(trainer: Trainer) -> bool:
    """Whether this is the end of a batch that a validation, or the end of its epoch, follows.

    ModelCheckpoint saves there every N steps. A resumed run would go on with the next batch. Where
    training ends, `LastCheckpoint` saves there, and again after the validation; what a resumed run
    lacks, it makes up for (`epoch_end.py`).
    """
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    if not batches.completed < batches.started == batches.ready == batches.processed:
        return False
    follows = trainer.is_last_batch or trainers.validates_next(trainer)
    return follows and not trainers.ends_within_epoch(trainer)


def _unmasked(weights: dict[str, Any]) -> dict[str, Any]:
    """Applies ModelPruning's masks, which it can leave in a checkpoint beside the weights.

    The network that is tested has no masks.
    """
    masks = {name.removesuffix("_mask") for name in weights if name.endswith("_mask")}
    pruned = {name for name in masks if f"{name}_orig" in weights}
    named = {f"{name}_orig": name for name in pruned}
    return {
        named.get(key, key): weights[f"{named[key]}_mask"] * value if key in named else value
        for key, value in weights.items()
        if key.removesuffix("_mask") not in pruned
    }
