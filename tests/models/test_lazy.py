"""Layers that are made after the module, or take their sizes from the first batch."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import lit_mnist
from lit_mnist.errors import UserError
from lit_mnist.models import ClassifierModule, DenseModule, lazy
from lit_mnist.models.scoring import ScoredModule
from tests.conftest import equal_weights
from tests.fitting import fitted
from tests.stopping import STOP_AT, stopped


class Lazy(ClassifierModule):
    """All of its layers are lazy; its net sees larger images than the module."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(
                *(nn.LazyConv2d(4, 5, stride=4), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten()),
                *(nn.Dropout(), nn.LazyLinear(10)),
            )

    def forward(self, images):
        return super().forward(F.pad(images, (2, 2, 2, 2)))


class LateAndLazy(ScoredModule):
    """Sizes its layers in `setup`, and is no ClassifierModule."""

    def __init__(self):
        super().__init__()
        self.last = nn.LazyLinear(10)

    def setup(self, stage):
        self.first = nn.Linear(784, 8)
        with torch.no_grad():
            self(torch.zeros(1, 1, 28, 28))

    def forward(self, images):
        return self.last(self.first(images.flatten(1)))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch.images), batch.labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Extends(DenseModule):
    """Puts a layer behind those that it has, whenever it is asked to make its layers."""

    def configure_model(self):
        self.net = nn.Sequential(self.net, nn.Linear(10, 10))


class AsksTrainer(Extends):
    """Asks its trainer before it does so."""

    def configure_model(self):
        if self.trainer.max_epochs == 2:
            super().configure_model()


class Unused(Lazy):
    """Has a lazy layer that no forward uses."""

    def __init__(self):
        super().__init__()
        self.spare = nn.LazyLinear(3)


class Wrong(Lazy):
    """Has a forward that fails."""

    def forward(self, images):
        return self.net(images[0, 0, 0])


def options(name):
    return ("--model", f"{__name__}.{name}", "--trainer.max_epochs", "2")


@pytest.mark.parametrize("name", ["Lazy", "LateAndLazy", "Extends"])
def test_they_are_trained_resumed_tested_and_loaded(run_cli, monkeypatch, name):
    same = (*options(name), STOP_AT)
    if name == "Lazy":
        same = (*same, "--model.channels_last", "true")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "13", "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    folders = [Path("tb_logs", place, "seed_42") for place in ("whole", "cut")]
    assert equal_weights(*folders, name="last")
    assert "is complete" in fitted(run_cli("fit", *same, "--name", "cut"))
    fitted(run_cli("test", *same, "--name", "cut"))
    reader = lit_mnist.load(folders[0], [globals()[name]])
    assert reader.predict(np.zeros((28, 28))).labels.shape == (1,)


def test_a_trial_of_a_few_steps_knows_their_sizes(run_cli):
    output = fitted(run_cli("fit", *options("Lazy"), "--trainer.fast_dev_run", "true"))
    assert f"Lazy, {4 * 25 + 4 + 8 + 4 * 49 * 10 + 10:,} parameters" in output


def test_only_their_first_weights_draw_random_numbers():
    module, sized = Lazy(), Lazy()
    module.net[4].eval()  # a choice of the user's
    torch.manual_seed(1)
    lazy.complete(module)
    state = torch.get_rng_state()
    assert [module.training, module.net[4].training] == [True, False]
    assert lazy.unsized(module) == ""
    assert module.net[1].num_batches_tracked == 0
    lazy.complete(module)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    lazy.complete(sized)
    assert torch.equal(module.net[5].weight, sized.net[5].weight)


@pytest.mark.parametrize("name", ["Extends", "AsksTrainer"])
def test_layers_are_made_once(run_cli, name):
    fitted(run_cli("fit", *options(name)))
    fitted(run_cli("test", *options(name)))
    path = Path("tb_logs", "dense", "seed_42", "checkpoints", "last.ckpt")
    weights = torch.load(path, weights_only=True)["state_dict"]
    before = [f"net.0.{key.removeprefix('net.')}" for key in DenseModule().state_dict()]
    assert list(weights) == [*before, "net.1.weight", "net.1.bias"]


@pytest.mark.parametrize(("name", "layer"), [("Unused", "spare"), ("Wrong", r"net\.0")])
def test_a_layer_without_a_size_is_refused(run_cli, name, layer):
    status, _, problems = run_cli("fit", *options(name))
    assert status == 2
    told = rf"error: --model tests\.models\.test_lazy\.{name}: its layer {layer} is lazy, [^\n]+\n"
    assert re.fullmatch(told, problems)
    with pytest.raises(UserError):
        lazy.complete(globals()[name]())
