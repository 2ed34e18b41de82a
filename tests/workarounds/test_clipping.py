"""Gradients are clipped by value where there are none."""

import pytest
import torch
from torch import nn

from lit_mnist.data import MNISTDataModule
from lit_mnist.models import DenseModule
from tests.fitting import callback


class Norms(DenseModule):
    """Has batch norm, for which an average of weights ends with an epoch without gradients."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(784, 10))


def test_an_average_of_batch_norms_is_clipped_by_value(run_cli, small_data):
    options = callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1")
    options += ["--model", f"{__name__}.Norms", "--trainer.gradient_clip_val", "0.1"]
    options += ["--trainer.gradient_clip_algorithm", "value", "--trainer.max_epochs", "3"]
    status, _, problems = run_cli("fit", *options)
    assert status == 0, problems
    last = torch.load("tb_logs/dense/seed_42/checkpoints/last.ckpt", weights_only=True)
    data = MNISTDataModule(small_data, "KMNIST")
    data.setup("fit")
    images = data.train_set.images[data.train_indices].float() / 255
    # of the epoch that follows the average; a mean over batches, of which the last is smaller
    mean = last["state_dict"]["net.0.running_mean"].item()
    assert mean == pytest.approx(images.mean().item(), abs=0.002)


def test_upstream_still_fails_without_gradients():
    with pytest.raises(RuntimeError):
        nn.utils.clip_grad_value_([nn.Parameter(torch.ones(1))], 0.1)
