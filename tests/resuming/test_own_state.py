"""What a module loads of its own stays, once, when hooks run; real runs are in test_recipes."""

import random
from types import SimpleNamespace

import pytest
from torch import nn

from lit_mnist.models import DenseModule
from lit_mnist.resuming.own_state import own_state


class Loads(DenseModule):
    """Adds to a count, sets a generator and makes a layer anew when it is loaded."""

    def __init__(self):
        super().__init__()
        self.total, self.generator, self.losses = 0, random.Random(1), None
        self.layer = nn.Linear(2, 2)

    def on_load_checkpoint(self, checkpoint):
        self.total += checkpoint["total"]
        self.generator.setstate(checkpoint["generator"])
        self.layer = nn.Linear(2, 3)


class CannotBeCopied(Loads):
    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle")


@pytest.mark.parametrize("kind", [Loads, CannotBeCopied])
def test_only_what_is_loaded_is_restored(kind):
    checkpoint = {"total": 3, "generator": random.Random(2).getstate()}
    module = kind()
    module.on_load_checkpoint(checkpoint)
    layer, attributes = module.layer, set(dir(kind))
    trainer = SimpleNamespace(lightning_module=module, optimizers=[])
    with own_state(module, trainer, lambda one: one.on_load_checkpoint(checkpoint)):
        module.total += 1
        module.losses, module.started = [], module.generator.random()
    assert (module.losses, module.started) == ([], random.Random(2).random())
    assert module.generator.getstate() == checkpoint["generator"]
    if kind is Loads:
        assert (module.total, module.layer) == (3, layer)
    assert set(dir(kind)) == attributes
    assert "__getattribute__" not in vars(kind)
    assert kind.__subclasses__() in ([TakesOut], [CannotBeCopied])


class TakesOut(CannotBeCopied):
    """Takes its entry out of the checkpoint, and holds what cannot be copied."""

    def on_load_checkpoint(self, checkpoint):
        self.total += checkpoint.pop("total")


def test_what_cannot_be_copied_may_take_its_entries_out():
    checkpoint, module = {"total": 3}, TakesOut()
    module.on_load_checkpoint(checkpoint)
    trainer = SimpleNamespace(lightning_module=module, optimizers=[])
    with own_state(module, trainer, lambda one: one.on_load_checkpoint(checkpoint)):
        module.losses = []
    assert (module.total, module.losses) == (3, [])
