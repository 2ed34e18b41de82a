"""The notebook's networks: counts, order of layers, initialisation, dropout."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lit_mnist.models.nets import DeepConv, Dense, SimpleConv

pytestmark = pytest.mark.usefixtures("full_size")

NETS = {Dense: 535_818, SimpleConv: 128_924, DeepConv: 887_530}


@pytest.mark.parametrize(("kind", "count"), NETS.items())
def test_nets_have_the_notebook_s_parameters_and_return_logits(kind, count):
    net = kind()
    assert sum(weights.numel() for weights in net.parameters()) == count
    logits = net(torch.rand(3, 1, 28, 28))
    assert logits.shape == (3, 10)
    assert (logits < 0).any()  # logits: neither softmax nor ReLU at the end


@pytest.mark.parametrize("kind", NETS)
def test_initialisation_equals_that_of_keras(kind):
    torch.manual_seed(0)
    for layer in kind():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        assert not layer.bias.any()
        outputs, inputs, *kernel = layer.weight.shape
        limit = math.sqrt(6 / ((inputs + outputs) * math.prod(kernel)))  # Glorot-uniform
        assert 0.9 * limit < layer.weight.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize(
    ("kind", "rates"), [(Dense, [0.2, 0.2]), (SimpleConv, [0.2]), (DeepConv, [0.25, 0.2])]
)
def test_dropout_rates_are_the_notebook_s(kind, rates):
    assert [layer.p for layer in kind() if isinstance(layer, nn.Dropout)] == rates


def test_pooling_before_relu_equals_the_notebook_s_order():
    net = DeepConv().eval()
    conv = [layer for layer in net if isinstance(layer, nn.Conv2d)]
    dense = [layer for layer in net if isinstance(layer, nn.Linear)]
    images = torch.rand(2, 1, 28, 28)
    x = F.max_pool2d(conv[1](conv[0](images).relu()).relu(), 2)
    x = F.max_pool2d(conv[3](conv[2](x).relu()).relu(), 2)
    torch.testing.assert_close(net(images), dense[1](dense[0](x.flatten(1)).relu()))
