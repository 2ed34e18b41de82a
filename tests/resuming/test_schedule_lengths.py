"""Schedules of fixed length that are made of others; real runs are in test_recipes_resumed."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.types import LRSchedulerConfig
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)

from lit_mnist.errors import UserError
from lit_mnist.resuming.schedule_lengths import ScheduleLengths


def warmed_up(after):
    """A trainer with two epochs of warm-up before a schedule that `after` makes."""
    adam = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    parts = [LinearLR(adam, total_iters=2), after(adam)]
    config = SimpleNamespace(scheduler=SequentialLR(adam, parts, milestones=[2]))
    return SimpleNamespace(
        optimizers=[adam],
        lr_scheduler_configs=[config],
        state=SimpleNamespace(fn=TrainerFn.FITTING),
    )


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (
            lambda adam: CosineAnnealingLR(adam, 8),
            lambda adam: CosineAnnealingLR(adam, 18),
            "T_max 8",
        ),
        (
            lambda adam: MultiStepLR(adam, [4, 6]),
            lambda adam: MultiStepLR(adam, [9]),
            r"milestones \[4, 6\] and would now have \[9\]",
        ),
    ],
)
def test_a_part_of_another_length_is_refused(before, now, told):
    lengths, state = ScheduleLengths(), warmed_up(before).lr_scheduler_configs[0].scheduler
    for made, refused in ((before, False), (now, True)):
        trainer = warmed_up(made)
        lengths.on_load_checkpoint(trainer, None, {"lr_schedulers": [state.state_dict()]})
        if not refused:
            lengths.on_fit_start(trainer, None)
            continue
        with pytest.raises(UserError, match=f"SequentialLR was made for {told}"):
            lengths.on_fit_start(trainer, None)


class Hasty(MultiStepLR):
    """A schedule of a user's, which shortens its own steps."""

    def __init__(self, optimizer, length):
        self.length = length
        super().__init__(optimizer, [length])

    def step(self):
        self.length -= 1
        super().step()


@pytest.mark.parametrize("length", [8, 9])
def test_a_schedule_may_change_what_it_was_made_with_but_not_be_made_with_another(length):
    before, now, saved = ScheduleLengths(), ScheduleLengths(), {}
    trainer = warmed_up(lambda adam: Hasty(adam, 8))
    before.on_fit_start(trainer, None)
    schedule = trainer.lr_scheduler_configs[0].scheduler
    for _ in range(4):
        schedule.optimizer.step()
        schedule.step()
    before.on_save_checkpoint(trainer, None, saved)
    saved["lr_schedulers"] = [schedule.state_dict()]
    trainer = warmed_up(lambda adam: Hasty(adam, length))
    now.on_load_checkpoint(trainer, None, saved)
    if length == 8:
        now.on_fit_start(trainer, None)
        return
    with pytest.raises(UserError, match="made for length 7 and would now have 8"):
        now.on_fit_start(trainer, None)


class Growing:
    """A trainer whose number of steps Lightning does not compute."""

    def __init__(self, scheduler):
        self.lr_scheduler_configs = [LRSchedulerConfig(scheduler, interval="step")]

    @property
    def estimated_stepping_batches(self):
        raise MisconfigurationException("different `accumulate_grad_batches` at different epochs")


def test_a_number_of_steps_that_is_not_known_is_no_obstacle():
    adam = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    ScheduleLengths().on_train_start(Growing(OneCycleLR(adam, 0.1, total_steps=9)), None)
