"""Checks that learning-rate schedules with a fixed length are as long as training."""

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_mnist.errors import UserError

# Attributes in which PyTorch's schedules store their length, and the epochs at which they change
_LENGTHS = ("total_steps", "T_max", "total_iters", "milestones", "_milestones")
_PARTS = "_schedulers"  # those that SequentialLR and ChainedScheduler are made of


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
            for (name, before), (_, after) in zip(_lengths(stored), _lengths(now), strict=False):
                if before != after:
                    raise UserError(
                        f"{kind} was made for {name} {before} and would now have {after}:"
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
                steps = _steps(trainer)
                if total < steps < math.inf:
                    raise UserError(
                        f"{type(config.scheduler).__name__} ends after {total} steps, and training"
                        f" has {steps}; make it longer, or set --trainer.max_steps {total}"
                    )


def _steps(trainer: Trainer) -> float:
    """Returns the number of optimizer steps of the whole training; infinite if it is not known."""
    try:
        return trainer.estimated_stepping_batches
    except MisconfigurationException:  # with GradientAccumulationScheduler
        return math.inf


def _lengths(state: dict[str, Any]) -> list[tuple[str, Any]]:
    """Lists the lengths in a schedule's state, and in those of the schedules it is made of."""
    found = [(name, state[name]) for name in _LENGTHS if name in state]
    own = [(name, sorted(one) if isinstance(one, dict) else one) for name, one in found]
    return [*own, *(one for part in state.get(_PARTS, ()) for one in _lengths(part))]
