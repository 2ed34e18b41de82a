"""Steps of a user's own module, which no other program calls."""

from pathlib import Path

import pytest

from lit_mnist.errors import UserError
from lit_mnist.models import DenseModule, own_steps
from lit_mnist.runs import entries

PATH = Path("a.ckpt")


class Bare(DenseModule):
    """Overrides what is called everywhere."""

    def evaluate(self, batch):
        return super().evaluate(batch)


class Averaging(DenseModule):
    def test_step(self, batch, batch_idx):
        return super().test_step(batch, batch_idx)

    predict_step = test_step


class Below(Averaging):
    def validation_step(self, batch, batch_idx):
        return super().validation_step(batch, batch_idx)


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (DenseModule, []),
        (Bare, []),
        (Averaging, ["test_step", "predict_step"]),
        (Below, ["validation_step", "test_step", "predict_step"]),
    ],
)
def test_steps_of_a_class_of_ones_own_are_known_by_its_name(kind, steps):
    name = f"{kind.__module__}.{kind.__qualname__}"
    assert own_steps.of({entries.MODEL_CLASS: name}, PATH) == steps
    assert own_steps.of({}, PATH, [Averaging]) == ["test_step", "predict_step"]


def test_an_unknown_class_is_refused():
    with pytest.raises(UserError, match=r"a\.ckpt: trained with nowhere\.Net, which is not known"):
        own_steps.of({entries.MODEL_CLASS: "nowhere.Net"}, PATH)


def test_the_line_names_class_and_steps():
    checkpoint = {entries.MODEL_CLASS: "my.Net"}
    assert own_steps.unused(checkpoint, []) == ""
    one = own_steps.unused(checkpoint, ["test_step"])
    assert one.startswith("my.Net: its own test_step is not called, as its answers are")
    both = own_steps.unused(checkpoint, ["test_step", "predict_step"])
    assert both.startswith("my.Net: its own test_step and predict_step are not called")
