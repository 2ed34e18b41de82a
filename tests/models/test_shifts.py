"""Test-time shifts against a loop over NumPy's rolled images."""

import numpy as np
import pytest
import torch
from torch import nn

from lit_mnist.models import ConvNetModule, DenseModule, trained
from lit_mnist.models.shifts import average_over_shifts
from lit_mnist.runs import entries


def digits(count=3):
    """Random images with a border of background, as MNIST's have."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 4:24, 4:24] = torch.rand(count, 1, 20, 20)
    return images


def test_the_output_is_the_mean_probability_of_five_views():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).double()
    images = digits().double()
    moves = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    views = [np.roll(images.numpy(), move, axis=(2, 3)) for move in moves]
    with torch.no_grad():
        expected = np.mean([net(torch.from_numpy(v)).softmax(1).numpy() for v in views], axis=0)
        found = average_over_shifts(net, images).exp().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_shifted_pixels_do_not_wrap_around():
    images = torch.zeros(1, 1, 28, 28)
    images[..., 0, :] = 1
    seen = []
    average_over_shifts(lambda view: seen.append(view) or view.sum((2, 3)), images)
    assert all(view[..., -1, :].sum() == 0 for view in seen)
    assert torch.equal(seen[-1], images)


def test_a_module_shifts_in_evaluation_only():
    torch.manual_seed(0)
    module = ConvNetModule(widths=[[4]], kernels=[3], shifts=True)
    images = digits()
    with torch.no_grad():
        assert torch.equal(module.train()(images), module.net(images))
        module.eval()
        assert torch.equal(module(images), average_over_shifts(module.net, images))
        assert not torch.allclose(module(images).softmax(1), module.net(images).softmax(1))


@pytest.mark.parametrize("shifts", [False, True])
def test_a_checkpoint_keeps_its_shifts_option(shifts, tmp_path):
    torch.manual_seed(0)
    module = DenseModule(shifts=shifts).eval()
    checkpoint = {
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        entries.MODEL_CLASS: "lit_mnist.models.modules.DenseModule",
        "pytorch-lightning_version": "2.6.6",
    }
    images = digits()
    with torch.no_grad():
        found = trained.network(checkpoint, tmp_path / "a.ckpt")(images)
        torch.testing.assert_close(found.softmax(1), module(images).softmax(1))
