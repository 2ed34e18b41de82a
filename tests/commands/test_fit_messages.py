"""What `fit` prints if there is no best checkpoint."""

import math
from types import SimpleNamespace

import pytest

from lit_mnist.commands.fit_messages import _why_no_best


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"val_loss": 0.1, "val_acc": 0.9}, "a callback changed the weights after each validation"),
        ({"val_loss": 0.1, "val_acc": math.nan}, "the model logs no number as val_acc"),
        ({"val_loss": math.nan, "val_acc": math.nan}, "nothing was validated"),
    ],
)
def test_the_reason_for_a_missing_best_checkpoint_is_given(row, message):
    assert _why_no_best(SimpleNamespace(history=lambda: [row])).startswith(message)
