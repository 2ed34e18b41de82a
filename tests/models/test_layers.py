"""Dropout against its definition; the last layer against float64."""

import pytest
import torch
from torch import nn

from lit_mnist.models.layers import Dropout, FullPrecisionLinear


@pytest.mark.parametrize("rate", [0.2, 0.25, 0.5, 0.9])
def test_drops_at_its_rate_and_scales_the_rest(rate):
    torch.manual_seed(0)
    count = 1_000_003  # not a multiple of the four elements that share a draw
    out = Dropout(rate)(torch.ones(count))
    dropped = float((out == 0).double().mean())
    sd = (rate * (1 - rate) / count) ** 0.5
    assert dropped == pytest.approx(rate, abs=5 * sd)
    torch.testing.assert_close(
        out[out != 0].unique(), torch.tensor([1 / (1 - rate)]), rtol=1e-4, atol=0
    )


def test_the_four_elements_of_a_draw_are_dropped_independently():
    torch.manual_seed(0)
    kept = (Dropout(0.25)(torch.ones(400_000)) != 0).double().view(-1, 4)
    assert kept.mean(dim=0).tolist() == pytest.approx([0.75] * 4, abs=0.01)
    correlation = torch.corrcoef(kept.T) - torch.eye(4)
    assert correlation.abs().max() < 0.02


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_keeps_layout_and_masks_gradients_like_values(layout):
    x = torch.rand(3, 8, 5, 5).to(memory_format=layout).requires_grad_()
    out = Dropout(0.5)(x)
    assert out.is_contiguous(memory_format=layout)
    out.sum().backward()
    torch.testing.assert_close(out, x * x.grad)
    assert set(x.grad.unique().tolist()) == {0.0, 2.0}


def test_the_mask_depends_on_memory_order_only():
    torch.manual_seed(3)
    first = Dropout(0.5)(torch.ones(2, 4, 3, 3))
    torch.manual_seed(3)
    other = Dropout(0.5)(torch.ones(2, 4, 3, 3).to(memory_format=torch.channels_last))
    assert torch.equal(first.flatten(), other.permute(0, 2, 3, 1).flatten())


def test_is_repeatable_and_works_on_bfloat16_empty_and_strided_tensors():
    torch.manual_seed(1)
    first = Dropout(0.5)(torch.ones(100, dtype=torch.bfloat16))
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5)(torch.ones(100, dtype=torch.bfloat16)), first)
    assert first.dtype == torch.bfloat16
    assert Dropout(0.5)(torch.ones(0, 4)).shape == (0, 4)
    strided = Dropout(0.5)(torch.ones(10, 10)[:, ::2])
    assert set(strided.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rates_0_and_1_keep_all_or_nothing(rate):
    assert torch.equal(Dropout(rate)(torch.ones(9)), torch.full((9,), 1 - rate))


def test_a_rate_that_would_round_to_1_drops_nearly_all():
    torch.manual_seed(0)
    assert 0 <= int(Dropout(1 - 2**-18)(torch.ones(100_000)).count_nonzero()) < 20


def test_does_nothing_in_evaluation():
    x = torch.rand(7)
    assert Dropout(0.5).eval()(x) is x


def test_last_layer_is_float32_under_autocast():
    torch.manual_seed(0)
    layer, x = FullPrecisionLinear(64, 10), torch.rand(5, 64)
    exact = x.double() @ layer.weight.double().T + layer.bias.double()
    with torch.autocast("cpu", torch.bfloat16):
        assert nn.Linear.forward(layer, x).dtype == torch.bfloat16
        out = layer(x)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.double(), exact, rtol=1e-5, atol=1e-6)


def test_last_layer_computes_half_precision_weights_in_float32_and_keeps_float64():
    half = FullPrecisionLinear(4, 2).bfloat16()
    assert half(torch.rand(3, 4, dtype=torch.bfloat16)).dtype == torch.float32
    double = FullPrecisionLinear(4, 2).double()
    assert double(torch.rand(3, 4, dtype=torch.float64)).dtype == torch.float64


def test_last_layer_tells_its_shape_without_data():
    with torch.device("meta"):
        assert FullPrecisionLinear(4, 3)(torch.empty(2, 4)).shape == (2, 3)
