"""Schedules compared with those whose state is loaded into them."""

import functools
import warnings

import pytest
import torch
from torch.optim import lr_scheduler as schedules

from lit_mnist.models.plateau import Plateau
from lit_mnist.resuming.schedule_values import changed, other_rates


def adam():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)


class Line:
    """A callable object, whose attributes are saved."""

    def __init__(self, length):
        self.length = length

    def __call__(self, step):
        return max(0.0, 1 - step / self.length)


def line(step, length):
    return Line(length)(step)


class Own(schedules.LRScheduler):
    """A schedule of a user's, which counts beside its length."""

    def __init__(self, optimizer, length):
        self.length, self.calls = length, 0
        super().__init__(optimizer)

    def get_lr(self):
        self.calls += 1
        return [rate * line(self.last_epoch, self.length) for rate in self.base_lrs]


def warmed_up(optimizer, after, length=2):
    first = schedules.LinearLR(optimizer, total_iters=2)
    return schedules.SequentialLR(optimizer, [first, after(optimizer)], milestones=[length])


# Each made from an optimizer and a length
KINDS = {
    "StepLR": schedules.StepLR,
    "MultiStepLR": lambda sgd, n: schedules.MultiStepLR(sgd, [1, n]),
    "ConstantLR": lambda sgd, n: schedules.ConstantLR(sgd, total_iters=n),
    "LinearLR": lambda sgd, n: schedules.LinearLR(sgd, total_iters=n),
    "PolynomialLR": schedules.PolynomialLR,
    "CosineAnnealingLR": schedules.CosineAnnealingLR,
    "WarmRestarts": lambda sgd, n: schedules.CosineAnnealingWarmRestarts(sgd, n, T_mult=2),
    "CyclicLR": lambda sgd, n: schedules.CyclicLR(sgd, 0.01, 0.1, step_size_up=n),
    "CyclicLR down": lambda sgd, n: schedules.CyclicLR(sgd, 0.1, 0.2, 2, step_size_down=n),
    "OneCycleLR": lambda sgd, n: schedules.OneCycleLR(sgd, 0.1, n),
    "SWALR": lambda sgd, n: torch.optim.swa_utils.SWALR(sgd, 0.01, anneal_epochs=n),
    "a callable object": lambda sgd, n: schedules.LambdaLR(sgd, Line(n)),
    "of a user's": Own,
    "SequentialLR": lambda sgd, n: warmed_up(sgd, schedules.ConstantLR, n),
    "SequentialLR within": lambda sgd, n: warmed_up(sgd, lambda s: schedules.StepLR(s, n)),
    "ChainedScheduler": lambda sgd, n: schedules.ChainedScheduler([schedules.StepLR(sgd, n)]),
}
FUNCTIONS = {
    "a function": lambda sgd, n: schedules.LambdaLR(sgd, lambda step: line(step, n)),
    "a partial one": lambda sgd, n: schedules.LambdaLR(sgd, functools.partial(line, length=n)),
    "a method": lambda sgd, n: schedules.LambdaLR(sgd, Line(n).__call__),
    "within": lambda sgd, n: warmed_up(
        sgd, lambda s: schedules.LambdaLR(s, lambda step: line(step, n))
    ),
    "chained": lambda sgd, n: schedules.ChainedScheduler(
        [
            schedules.LambdaLR(sgd, lambda step: line(step, n)),
            schedules.ExponentialLR(sgd, 0.9),
        ]
    ),
}


@pytest.fixture(autouse=True)
def unstepped_optimizers():
    with warnings.catch_warnings(action="ignore"):
        yield


def gone_on(make, length, steps):
    """What is found in a schedule of a length that loads the state of one of length 8."""
    before, now = (make(adam(), n) for n in (8, length))
    for _ in range(steps):
        before.step()
    state = before.state_dict()
    found = [*changed(now, state)]
    now.load_state_dict(state)
    return found, [*other_rates(now)]


@pytest.mark.parametrize("make", {**KINDS, **FUNCTIONS}.values(), ids={**KINDS, **FUNCTIONS})
def test_a_schedule_of_the_same_length_goes_on(make):
    for steps in (0, 1, 2, 3, 5, 7):
        assert gone_on(make, 8, steps) == ([], [])


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_another_length_is_found(make):
    for steps in (0, 3):
        assert "would now have" in gone_on(make, 12, steps)[0][0]


@pytest.mark.parametrize("make", FUNCTIONS.values(), ids=FUNCTIONS)
def test_another_function_is_found_by_its_rate(make):
    assert gone_on(make, 12, 0) == ([], [])
    found, rates = gone_on(make, 12, 5)
    assert found == []
    assert len(rates) == 1


def test_the_rate_is_told():
    _, rates = gone_on(FUNCTIONS["a function"], 16, 4)
    assert rates == ["a rate of 0.05 at its step 4 and would now have 0.075"]


class Module:
    global_step = 5


def test_a_function_of_the_place_of_training_is_not_asked():
    module = Module()
    schedule = schedules.LambdaLR(adam(), lambda _: 1 / module.global_step)
    module.global_step = 7
    assert [*other_rates(schedule)] == []


def test_a_plateau_s_arguments_are_the_options_of_its_module():
    plateau = schedules.ReduceLROnPlateau(adam(), patience=3)
    assert [*changed(plateau, schedules.ReduceLROnPlateau(adam(), patience=2).state_dict())] == [
        "patience 2 and would now have 3"
    ]
    assert [*changed(Plateau(adam(), 3), Plateau(adam(), 2).state_dict())] == []
