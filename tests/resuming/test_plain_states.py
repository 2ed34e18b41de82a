"""States that no checkpoint can hold, found before the first step."""

import enum
from collections import deque
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lightning.pytorch import Callback

from lit_mnist.errors import UserError
from lit_mnist.models import DenseModule
from lit_mnist.resuming.plain_states import PlainStates


class Kind(enum.Enum):
    ONE = 1


class Keeping(Callback):
    """Keeps a value, and counts how often it is saved."""

    def __init__(self, value=None):
        self.value, self.saves = value, 0

    def state_dict(self):
        self.saves += 1
        return {"value": self.value, "saves": self.saves}


class Failing(Callback):
    """Has no state yet."""

    def state_dict(self):
        return {"mean": self.mean}


def check(callback, module=None, saving=True):
    trainer = SimpleNamespace(callbacks=[callback], checkpoint_callbacks=[1] if saving else [])
    PlainStates().on_train_start(trainer, module or DenseModule())


@pytest.mark.parametrize(
    "value",
    [deque([1]), timedelta(1), b"x", Kind.ONE, Path("x"), np.arange(3), [{"a": deque()}]],
    ids=lambda value: type(value).__name__,
)
def test_an_object_is_refused_with_its_place(value):
    with pytest.raises(UserError, match=r"the checkpoint's callbacks\.Keeping\.value\S* is a "):
        check(Keeping(value))
    check(Keeping(value), saving=False)


def test_plain_states_pass_and_are_left_as_they_are():
    keeping = Keeping(np.float64(1))
    check(keeping)
    assert keeping.saves == 0
    check(Failing())


class WithArray(DenseModule):
    def __init__(self, weights=None):
        super().__init__()
        self.save_hyperparameters()


class Converting(WithArray):
    """Saves a list in the place of its array."""

    def on_save_checkpoint(self, checkpoint):
        checkpoint["hyper_parameters"]["weights"] = self.hparams.weights.tolist()


def test_hyperparameters_are_checked_unless_the_module_changes_what_is_saved():
    with pytest.raises(UserError, match=r"hyper_parameters\.weights is a numpy\.ndarray"):
        check(Keeping(), WithArray(np.ones(3)))
    check(Keeping(), Converting(np.ones(3)))
