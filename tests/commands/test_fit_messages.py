"""What `fit` says where no best checkpoint was kept."""

import math
from types import SimpleNamespace

import pytest

from lit_mnist.commands.fit_messages import _why_no_best


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"val_loss": 0.1, "val_acc": 0.9}, "no weights were kept as they were validated"),
        ({"val_loss": 0.1, "val_acc": math.nan}, "the model logs no val_acc"),
        ({"val_loss": math.nan, "val_acc": math.nan}, "nothing was validated"),
    ],
)
def test_it_says_why(row, said):
    assert _why_no_best(SimpleNamespace(history=lambda: [row])).startswith(said)
