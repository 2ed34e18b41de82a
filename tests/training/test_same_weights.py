"""Ranks that train different models, without processes."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lit_mnist.errors import UserError
from lit_mnist.training import same_weights


@pytest.fixture
def epoch_end(monkeypatch):
    """Ends an epoch beside a rank whose weights are so many times as large."""

    def call(times, averager=None):
        monkeypatch.setattr(same_weights, "DistributedDataParallel", nn.Module)
        monkeypatch.setattr(
            torch.distributed,
            "all_reduce",
            lambda values, _: values.copy_(torch.maximum(values, values * times)),
        )
        net = nn.Linear(3, 2)
        nn.init.zeros_(net.bias)
        net.register_parameter("phase", nn.Parameter(torch.ones(2, dtype=torch.cfloat)))
        strategy = SimpleNamespace(model=net, _model_averager=averager)
        same_weights.SameWeights().on_train_epoch_end(SimpleNamespace(strategy=strategy), net)

    return call


@pytest.mark.parametrize("times", [1, 1 + 1e-6, 1 - 1e-6])
def test_rounding_is_no_drift(epoch_end, times):
    epoch_end(times)


@pytest.mark.parametrize("times", [1.001, 0.999])
def test_ranks_that_have_drifted_apart_end(epoch_end, times):
    with pytest.raises(UserError, match=r"drifted apart \(first weight\)") as told:
        epoch_end(times)
    for cause in ("rate or schedule", "gradients after the backward pass", "random numbers"):
        assert cause in str(told.value)


def test_ranks_that_average_now_and_then_may_differ(epoch_end):
    epoch_end(2, averager=object())
