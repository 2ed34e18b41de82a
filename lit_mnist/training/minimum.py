"""Tells before training that a maximum will end it before a minimum is reached."""

import math
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from lit_mnist import trainers
from lit_mnist.messages import say


class Minimum(Callback):
    """Tells so where one counts epochs and the other steps; Lightning ends training silently.

    Args:
        options: The options of the trainer.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints a line, once it is known how many steps an epoch has."""
        steps = _steps_of_epoch(trainer, pl_module)
        epochs, most = self.options["max_epochs"], self.options["max_steps"]
        low, few = self.options["min_steps"] or 0, self.options["min_epochs"] or 0
        if steps and epochs is not None and 0 <= epochs * steps < low:
            say(
                f"--trainer.min_steps {low} will not be reached: --trainer.max_epochs {epochs} ends"
                f" training after {epochs * steps} steps; raise it to train on"
            )
        if most is not None and 0 <= most < few * steps:
            say(
                f"--trainer.min_epochs {few} will not be reached: --trainer.max_steps {most} ends"
                f" training before their {few * steps} steps; raise it to train on"
            )


def _steps_of_epoch(trainer: Trainer, module: LightningModule) -> int:
    """Returns how many steps the optimizer takes in each epoch; 0 if that is not known."""
    batches: float = trainer.num_training_batches
    varies = trainers.callbacks_of(trainer, GradientAccumulationScheduler)
    if varies or not module.automatic_optimization or math.isinf(batches):
        return 0
    return math.ceil(batches / trainer.accumulate_grad_batches)
