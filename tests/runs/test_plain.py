"""Values for a checkpoint can be loaded again, or are refused with their place."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from lit_mnist.errors import UserError
from lit_mnist.runs import plain, safe_torch


def nested(depth):
    return [nested(depth - 1)] if depth else 1


def within_itself():
    content = []
    content.append(content)
    return content


SAVED = [nested(60), torch.ones(1).expand(1000), np.float32(0.5), Counter([3, 3])]


@pytest.mark.parametrize("content", SAVED)
def test_plain_values_are_preserved(tmp_path, content):
    torch.save(plain.checked({"x": content}), tmp_path / "a.pt")
    found = safe_torch.load(tmp_path / "a.pt")["x"]
    assert torch.equal(found, content) if torch.is_tensor(content) else found == content
    assert isinstance(found, Counter) is isinstance(content, Counter)  # of MultiStepLR


REFUSED = {
    "deep": nested(100),
    "itself": within_itself(),
    "sparse": torch.eye(3).to_sparse(),
    "nested": torch.nested.nested_tensor([torch.ones(2)]),
    "object": {"y": object()},
    "as no Python number": np.longdouble(0.5),
    "time": np.datetime64("2026-11-27"),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_other_values_are_refused(content):
    with pytest.raises(UserError, match="the checkpoint's x"):
        plain.checked({"x": content})


@pytest.mark.parametrize("kind", [nn.Buffer, nn.Parameter])
def test_attributes_of_a_tensor_are_left_out(tmp_path, kind):
    """PyTorch would store them in a form that cannot be loaded safely."""
    value = kind(torch.arange(3.0))
    value.of_its_own = "no weight decay"
    torch.save({"saved": plain.checked(value)}, tmp_path / "x.ckpt")
    saved = safe_torch.load(tmp_path / "x.ckpt")["saved"]
    assert torch.equal(saved, value)
    assert (type(saved), vars(saved), value.of_its_own) == (type(value), {}, "no weight decay")
