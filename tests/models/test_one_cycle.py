"""The one-cycle schedule: PyTorch's, with the length of the run that steps it."""

import csv
import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from lit_mnist.errors import UserError
from lit_mnist.models import DenseModule
from lit_mnist.models.one_cycle import OneCycle

HIGHEST = 0.01
STEPS = 9  # of an epoch: 8 of 60 images, and one of 20


def adam():
    return torch.optim.Adam([nn.Parameter(torch.zeros(1))])


def setting(optimizer):
    group = optimizer.param_groups[0]
    return group["lr"], group["betas"]


def settings(schedule, steps):
    """Rate and decay at each step."""
    found = []
    for _ in range(steps):
        found.append(setting(schedule.optimizer))
        schedule.optimizer.step()
        schedule.step()
    return found


def torchs(total):
    return settings(OneCycleLR(adam(), HIGHEST, total_steps=total), total)


@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_the_schedule_equals_pytorch_s(total):
    ours = settings(OneCycle(adam(), HIGHEST, total), total)
    assert ours == torchs(total)
    if total == 100:
        rates = [rate for rate, _ in ours]
        assert max(rates) == HIGHEST
        assert rates[0] == pytest.approx(HIGHEST / 25)
        assert rates[-1] == pytest.approx(HIGHEST / 25 / 1e4)


@pytest.mark.parametrize("longer", [20, 30])
@pytest.mark.filterwarnings("error")
def test_resuming_with_another_length_uses_the_rate_of_its_step(longer):
    first = OneCycle(adam(), HIGHEST, 20)
    settings(first, 12)
    second = OneCycle(adam(), HIGHEST, longer)
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert settings(second, longer - 12) == torchs(longer)[12:]


def rates(name):
    with Path("tb_logs", name, "seed_42", "metrics.csv").open(newline="") as file:
        return [float(row["lr"]) for row in csv.DictReader(file)]


def test_raising_max_epochs_continues_in_the_longer_cycle(run_cli):
    cycle = ("--model.one_cycle", "true", "--model.lr", str(HIGHEST))
    for epochs in ("2", "5"):
        assert run_cli("fit", *cycle, "--trainer.max_epochs", epochs)[0] == 0
    at_ends = [
        [torchs(STEPS * epochs)[STEPS * e + 8][0] for e in range(epochs)] for epochs in (2, 5)
    ]
    assert rates("dense") == pytest.approx(at_ends[0] + at_ends[1][2:], rel=1e-6)


def test_the_cycle_follows_max_steps(run_cli):
    limit = ("--trainer.max_steps", "18", "--trainer.max_epochs", "9")
    assert run_cli("fit", "--model.one_cycle", "true", "--model.lr", str(HIGHEST), *limit)[0] == 0
    assert rates("dense") == pytest.approx([torchs(18)[8][0], torchs(18)[17][0]], rel=1e-6)


def test_a_run_without_a_limit_is_refused(run_cli):
    status, _, error = run_cli("fit", "--model.one_cycle", "true", "--trainer.max_epochs", "-1")
    assert (status, error.count("\n")) == (2, 1)
    assert "--model.one_cycle: ends with the run; give --trainer.max_epochs" in error


def test_two_schedules_are_refused(run_cli):
    with pytest.raises(UserError):
        DenseModule(plateau=True, one_cycle=True)
    status, _, error = run_cli("fit", "--model.one_cycle", "true", "--model.plateau", "true")
    assert (status, error.count("\n")) == (2, 1)
    assert "--model.plateau, --model.one_cycle: two schedules; give one of them" in error
