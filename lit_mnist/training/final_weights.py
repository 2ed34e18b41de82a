"""Saves weights that callbacks or the module change after the last epoch."""

from collections.abc import Iterable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, Timer, WeightAveraging
from torch import Tensor, nn

from lit_mnist import trainers
from lit_mnist.machine.patching import overrides
from lit_mnist.runs import checkpoints, digests, entries
from lit_mnist.runs.folder import Run
from lit_mnist.runs.weights import is_extra, shapes
from lit_mnist.training.best_checkpoint import BestCheckpoint
from lit_mnist.training.checkpoint_io import finish_writing
from lit_mnist.training.run_folder import drop_test

# Hooks of Lightning's that leave the weights alone
_HARMLESS = (ModelCheckpoint.on_train_end, Timer.on_train_end)


class FinalWeights(Callback):
    """Saves in `last.ckpt` the weights that a callback or the module sets at the end of training.

    Lightning's StochasticWeightAveraging does so after the last checkpoint is written, so that its
    average would be in none.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.before = ""  # the hash of the weights before all others act
        self.at_end = False  # whether the checkpoint that is saved is the one at the end

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the weights; `in_order` puts this before the hooks of all others."""
        if acting(trainers.callbacks(trainer), pl_module):
            self.before = digests.of_weights(_weights(trainer))

    def save(self, trainer: Trainer, *_: Any) -> None:
        """Writes `last.ckpt` again if they have changed the weights and it holds others.

        `save_after_the_module` calls this behind the hooks of all others. A run is complete once
        it has returned, so all checkpoints must be on disk by then.
        """
        finish_writing(trainer)
        finishing = " and ".join(acting(trainers.callbacks(trainer), trainer.lightning_module))
        if not finishing or not trainer.strategy.broadcast(self._changed(trainer)):
            return
        for one in trainer.checkpoint_callbacks:
            if isinstance(one, BestCheckpoint):
                one.measured = {}  # the last validation was of other weights
        if trainer.is_global_zero:
            drop_test(self.run)  # also if no batch was trained
        _replace_averages(trainer)
        self.at_end = True
        trainer.save_checkpoint(self.run.last)
        self.at_end = False
        finish_writing(trainer)
        if trainer.is_global_zero:
            print(f"{self.run.last} holds the weights that {finishing} set at the end")

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes that nobody has to set these weights again, if the process is killed now."""
        if self.at_end:
            checkpoint[entries.AT_END] = True

    def _changed(self, trainer: Trainer) -> bool:
        """Whether the weights were changed at the end, and `last.ckpt` holds others; on rank 0."""
        weights = _weights(trainer)  # which takes all ranks
        if not trainer.is_global_zero or not self.run.last.exists():
            return False
        if digests.of_weights(weights) == self.before:  # a hook may save an average in their place
            return False
        saved = checkpoints.read(self.run.last)["state_dict"]
        return _differ(saved, weights, bool(trainers.callbacks_of(trainer, WeightAveraging)))


def _differ(saved: dict[str, Any], weights: dict[str, Any], averaged: bool) -> bool:
    """Whether a checkpoint holds other values of the weights, as far as it holds them.

    A module may leave some out, and an average is saved with extra state of its own, maybe in
    another precision. What has another form, such as a quantised network, is not compared.
    """
    if saved.keys() < weights.keys():
        weights = {name: weights[name] for name in saved}
    if shapes(saved) != shapes(weights):
        return False
    now = {name: one for name, one in weights.items() if not (averaged and is_extra(name))}
    before = {name: _like(saved[name], value) for name, value in now.items()}
    return digests.of_weights(before) != digests.of_weights(now)


def _replace_averages(trainer: Trainer) -> None:
    """Puts the weights in the place of an average, which WeightAveraging would save as theirs."""
    for one in trainers.callbacks_of(trainer, WeightAveraging):
        if one._average_model is not None:
            averages, weights = map(_tensors, (one._average_model.module, trainer.lightning_module))
            for name in averages.keys() & weights.keys():  # what was added since is in no average
                if averages[name].shape == weights[name].shape:  # a buffer may have been resized
                    averages[name].data.copy_(weights[name].data)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _like(value: Any, other: Any) -> Any:
    both = isinstance(value, Tensor) and isinstance(other, Tensor)
    return value.to(other.dtype) if both else value


def _weights(trainer: Trainer) -> dict[str, Any]:
    """Returns the weights, on every rank, as all of them put sharded ones together."""
    return trainer.strategy.lightning_module_state_dict()


def acting(callbacks: Iterable[Callback], module: LightningModule) -> list[str]:
    """Names the user's callbacks that act after the last step, and the module if it does."""
    names = [
        type(callback).__name__
        for callback in callbacks
        if overrides(callback, Callback, "on_train_end")
        and type(callback).on_train_end not in _HARMLESS
        and not type(callback).__module__.startswith("lit_mnist.")
        and not callback.__class__.__name__.endswith("ProgressBar")
    ]
    if overrides(module, LightningModule, "on_train_end"):
        names.append(type(module).__name__)
    return names
