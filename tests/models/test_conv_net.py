"""ConvNet: its layers against PyTorch's functions, its size, and refused options."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import lit_mnist
from lit_mnist.errors import UserError
from lit_mnist.models import ConvNet, ConvNetModule


def trained(net):
    """Changes the running statistics from their initial values."""
    torch.manual_seed(0)
    for _ in range(3):
        net(torch.rand(16, 1, 28, 28))
    return net.eval()


def normal(x, layer):
    return F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias)


def of_kind(net, kind):
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def test_strided_stem_pooled_stage_and_hidden_layer():
    net = trained(ConvNet([[8], [12, 16]], [5, 3], strided=1, hidden=20))
    conv, norm = of_kind(net, nn.Conv2d), of_kind(net, nn.BatchNorm2d)
    dense = of_kind(net, nn.Linear)
    images = torch.rand(2, 1, 28, 28)
    x = normal(F.conv2d(images, conv[0].weight, stride=2, padding=2), norm[0]).relu()
    assert x.shape[1:] == (8, 14, 14)
    x = normal(F.conv2d(x, conv[1].weight, padding=1), norm[1]).relu()
    # the maximum before normalisation, which has not turned any sign around here
    x = normal(F.max_pool2d(F.conv2d(x, conv[2].weight, padding=1), 2), norm[2]).relu()
    assert x.shape[1:] == (16, 7, 7)
    expected = dense[1](dense[0](x.flatten(1)).relu())
    torch.testing.assert_close(net(images), expected)


def test_without_a_hidden_layer_the_head_sees_average_and_maximum():
    net = trained(ConvNet([[4], [6], [8]], [5, 3, 3], strided=2))
    maps = nn.Sequential(*list(net)[:-2])(torch.rand(3, 1, 28, 28))
    assert maps.shape == (3, 8, 3, 3)  # 28, 14, 7, 3
    (last,) = of_kind(net, nn.Linear)
    seen = torch.cat([maps.flatten(2).mean(2), maps.flatten(2).max(2).values], 1)
    torch.testing.assert_close(nn.Sequential(*list(net)[-2:])(maps), last(seen))


@pytest.mark.parametrize("strided", [0, 1, 2])
def test_the_number_of_parameters_follows_from_the_options(strided):
    net = ConvNet([[24], [32]], [5, 3], strided, hidden=128)
    convolutions = 25 * 24 + 9 * 24 * 32 + 2 * (24 + 32)
    head = 32 * 7 * 7 * 128 + 128 + 128 * 10 + 10
    assert sum(weights.numel() for weights in net.parameters()) == convolutions + head
    assert net(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("widths", "kernels", "message"),
    [
        ([], [], "--model.widths"),
        ([[8], []], [3, 3], "--model.widths"),
        ([[8], [8]], [3], "--model.kernels: 1 for 2 stages"),
        ([[8], [0]], [3, 3], "--model.widths"),
        ([[8]], [4], "--model.kernels 4"),
        ([[8]], [-3], "--model.kernels -3"),
        ([[8]] * 5, [3] * 5, "28 pixels allow 4 halvings"),
    ],
)
def test_refuses_impossible_options(widths, kernels, message):
    with pytest.raises(UserError, match=message):
        ConvNet(widths, kernels)


@pytest.mark.parametrize("name", ["strided", "hidden"])
def test_refuses_negative_numbers(name):
    with pytest.raises(UserError, match=f"--model.{name} -1: take 0 or more"):
        ConvNet([[8]], [3], **{name: -1})


def test_the_module_is_rebuilt_from_its_checkpoint(run_cli):
    net = ("--model.widths", "[[4], [6]]", "--model.kernels", "[3, 3]", "--model.hidden", "5")
    options = ("--model", "ConvNetModule", *net, "--model.one_cycle", "true", "--name", "conv")
    assert run_cli("fit", *options)[0] == 0
    assert run_cli("test", *options)[0] == 0
    loaded = ConvNetModule.load_from_checkpoint("tb_logs/conv/seed_42/checkpoints/best.ckpt")
    assert loaded.hparams["widths"] == [[4], [6]]
    assert [layer.out_channels for layer in of_kind(loaded.net, nn.Conv2d)] == [4, 6]
    images = torch.rand(5, 28, 28)
    with torch.no_grad():
        expected = loaded.cpu().eval()(images[:, None]).softmax(1)
    given = lit_mnist.load("tb_logs/conv/seed_42").predict(images.numpy()).probabilities
    np.testing.assert_allclose(given, expected.numpy(), atol=1e-5)
    members = ("--model.checkpoints", "tb_logs/conv/seed_42/checkpoints/*.ckpt")
    assert run_cli("test", *members, "--name", "both", config="ensemble")[0] == 0


def test_bad_options_are_refused_in_one_line(run_cli):
    options = ("--model", "ConvNetModule", "--model.widths", "[[4]]", "--model.kernels", "[3, 3]")
    status, _, error = run_cli("fit", *options)
    assert (status, error.count("\n")) == (2, 1)
    assert "--model.kernels: 2 for 1 stages of --model.widths; give one per stage" in error
