"""Schedules that know how long training is: their length has to be that of this training."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.errors import UserError

# What PyTorch's schedules keep of the length they were made for
_LENGTHS = ("total_steps", "T_max", "total_iters")


class ScheduleLengths(Callback):
    """Refuses what PyTorch would do without a word, or end in a traceback.

    A checkpoint brings its schedule's length along, whatever the limit of training is now. So
    after the limit was raised, a cosine would rise again, and OneCycleLR fail at a step.
    Stands before all that writes.
    """

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers how long the checkpoint's schedules are."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.stored = checkpoint.get("lr_schedulers", [])

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares them with those of this training.

        Raises:
            UserError: They differ.
        """
        for config, stored in zip(trainer.lr_scheduler_configs, self.stored, strict=False):
            kind, now = type(config.scheduler).__name__, config.scheduler.state_dict()
            for name in _LENGTHS:
                if name in stored and stored[name] != now.get(name, stored[name]):
                    raise UserError(
                        f"{kind} was made for {name} {stored[name]} and would now have {now[name]}:"
                        " a schedule that knows the length of training cannot go on with another;"
                        " choose another --name, or replace the run with --fresh"
                    )
        self.stored = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks whether a schedule of steps ends before training does.

        Raises:
            UserError: It does.
        """
        for config in trainer.lr_scheduler_configs:
            total = getattr(config.scheduler, "total_steps", None)
            if total is not None and config.interval == "step" and config.frequency == 1:
                steps = trainer.estimated_stepping_batches
                if total < steps < float("inf"):
                    raise UserError(
                        f"{type(config.scheduler).__name__} ends after {total} steps, and training"
                        f" has {steps}; make it longer, or set --trainer.max_steps {total}"
                    )
