"""Checks that learning-rate schedules are those that a run began with, and as long as training."""

import copy
import math
from collections.abc import Iterable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim.lr_scheduler import OneCycleLR

from lit_mnist.errors import UserError
from lit_mnist.resuming import schedule_values
from lit_mnist.runs import entries, optimization


class ScheduleLengths(Callback):
    """Refuses schedules that are not those whose state is loaded, or end before training.

    A checkpoint restores its schedule's old length, even if the limit of training was raised since.
    A cosine would then silently rise again, and OneCycleLR would end in a traceback. This callback
    must come before all callbacks that write files.
    """

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []  # the states of the schedules before training
        self.stored: list[dict[str, Any]] = []  # those of the checkpoint, which may change its own
        self.kinds: Any = None  # names of their classes, if they are known

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes what the checkpoint's schedules were made with; or else, their states."""
        if trainer.state.fn == TrainerFn.FITTING:
            known = entries.get(checkpoint, entries.KINDS)
            self.kinds = known.get("schedules") if isinstance(known, dict) else None
            states = checkpoint.get("lr_schedulers", [])
            self.stored = entries.get(checkpoint, entries.SCHEDULES, states)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves what the schedules were made with, as one may change that as it goes on.

        And the classes of schedules and optimizers, as a callback may replace both.
        """
        schedules = (config.scheduler for config in trainer.lr_scheduler_configs)
        checkpoint[entries.KINDS] = optimization.kinds(trainer.optimizers, schedules)
        checkpoint[entries.SCHEDULES] = self.made

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares them with the schedules that this training has made.

        Raises:
            UserError: One was made with other arguments.
        """
        made = [config.scheduler for config in trainer.lr_scheduler_configs]
        self.made = copy.deepcopy([schedule.state_dict() for schedule in made])
        if self.kinds not in (None, [type(one).__name__ for one in made]):
            self.stored = []  # a callback has replaced them, and will do so again
        for schedule, stored in zip(made, self.stored, strict=False):
            _refuse(schedule, schedule_values.changed(schedule, stored))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks the rates of functions, and that no cycle by steps ends before training does.

        Raises:
            UserError: A function gives another rate than before; a OneCycleLR ends too early.
        """
        for config in trainer.lr_scheduler_configs:
            schedule = config.scheduler
            if self.stored:
                _refuse(schedule, schedule_values.other_rates(schedule))
            by_step = config.interval == "step" and config.frequency == 1
            if by_step and isinstance(schedule, OneCycleLR):  # others may stay at their last rate
                total, steps = schedule.total_steps, _steps(trainer)
                if total < steps < math.inf:
                    raise UserError(
                        f"{type(schedule).__name__} ends after {total} steps, and training has"
                        f" {steps}; make it longer, or set --trainer.max_steps {total}"
                    )


def _refuse(schedule: Any, differences: Iterable[str]) -> None:
    for difference in differences:
        raise UserError(
            f"{type(schedule).__name__} was made for {difference}: its state cannot go on in"
            " another schedule; set what it depends on, such as --trainer.max_epochs, as it was,"
            " choose another --name, or replace the run with --fresh"
        )


def _steps(trainer: Trainer) -> float:
    """Returns the number of optimizer steps of the whole training; infinite if it is not known."""
    try:
        return trainer.estimated_stepping_batches
    except MisconfigurationException:  # with GradientAccumulationScheduler
        return math.inf
