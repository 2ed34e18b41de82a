"""Checks before the first step that what checkpoints will hold can be loaded again."""

import copy
from contextlib import suppress
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_mnist import trainers
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import plain


class PlainStates(Callback):
    """Refuses a state that no checkpoint can hold now, rather than after the first epoch.

    A state that comes into being later is refused when it is first saved. This callback must come
    before all callbacks that write files.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks the callbacks' states, and the hyperparameters that are saved.

        Raises:
            UserError: One is not of tensors and plain values; names its place in a checkpoint.
        """
        if not trainer.checkpoint_callbacks:
            return
        for callback in trainers.callbacks(trainer):
            if not type(callback).__module__.startswith("lit_mnist."):
                plain.checked(_state(callback), f"callbacks.{callback.state_key}")
        if type(pl_module).on_save_checkpoint is ScoredModule.on_save_checkpoint:  # changes none
            plain.checked(dict(pl_module.hparams), pl_module.CHECKPOINT_HYPER_PARAMS_KEY)


def _state(callback: Callback) -> dict[str, Any]:
    """Returns the state that a copy of a callback would save, as saving may change a callback."""
    with suppress(Exception):  # whatever a user's callback may raise; it is asked again
        return copy.copy(callback).state_dict()
    return {}
