"""Checks that learning-rate schedules with a fixed length are as long as training."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.errors import UserError

# Attributes in which PyTorch's schedules store their length
_LENGTHS = ("total_steps", "T_max", "total_iters")


class ScheduleLengths(Callback):
    """Refuses schedules whose length differs from that of training.

    A checkpoint restores its schedule's old length, even if the limit of training was raised since.
    A cosine would then silently rise again, and OneCycleLR would end in a traceback. This callback
    must come before all callbacks that write files.
    """

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes the lengths of the checkpoint's schedules."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.stored = checkpoint.get("lr_schedulers", [])

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares these lengths with those of this training.

        Raises:
            UserError: They differ.
        """
        for config, stored in zip(trainer.lr_scheduler_configs, self.stored, strict=False):
            kind, now = type(config.scheduler).__name__, config.scheduler.state_dict()
            for name in _LENGTHS:
                if name in stored and stored[name] != now.get(name, stored[name]):
                    raise UserError(
                        f"{kind} was made for {name} {stored[name]} and would now have {now[name]}:"
                        " a schedule of fixed length cannot be resumed with another length;"
                        " choose another --name, or replace the run with --fresh"
                    )
        self.stored = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks that no schedule with interval "step" ends before training does.

        Raises:
            UserError: One does.
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
