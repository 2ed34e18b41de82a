"""Modules that leave frozen weights out of their checkpoints, through the real program."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lit_mnist
from lit_mnist.data import MNISTDataModule
from lit_mnist.models import DenseModule
from lit_mnist.models.scoring import ScoredModule
from tests.fitting import fitted, recipe
from tests.recipes import Halving
from tests.trained import change, put


class Body(DenseModule):
    """Has a frozen layer, which its constructor draws."""

    def __init__(self):
        super().__init__()
        drawn = torch.randn(784, 784, generator=torch.Generator().manual_seed(5)) / 28
        self.body = nn.Linear(784, 784, bias=False)
        self.body.weight = nn.Parameter(drawn, requires_grad=False)

    def forward(self, images):
        return super().forward(self.body(images.flatten(1)).view_as(images))

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters())


class Dropping(Body):
    """Removes the layer from each checkpoint, and lets Lightning load what is left."""

    strict_loading = False

    def on_save_checkpoint(self, checkpoint):
        ScoredModule.on_save_checkpoint(self, checkpoint)
        del checkpoint["state_dict"]["body.weight"]


class Hiding(Body):
    """Has no such layer in its state."""

    def __init__(self):
        super().__init__()
        self.strict_loading = False

    def state_dict(self, *args, **kwargs):
        weights = super().state_dict(*args, **kwargs)
        return {name: one for name, one in weights.items() if not name.startswith("body.")}


class Adding(Dropping):
    """Adds the layer again to what is loaded, which is complete then."""

    strict_loading = True

    def on_load_checkpoint(self, checkpoint):
        checkpoint["state_dict"]["body.weight"] = self.body.weight.detach()


class Growing(DenseModule):
    """Adds a layer in training, so that no new module has it."""

    def on_train_epoch_start(self):
        super().on_train_epoch_start()
        self.extra = nn.Linear(1, 1)


class DroppingHalving(Dropping, Halving):
    """Sets its weights at the end of training, too."""


def last(name):
    return Path("tb_logs", name, "seed_42", "checkpoints", "last.ckpt")


def options(name):
    return ("--model", f"{__name__}.{name}", "--name", name)


@pytest.mark.parametrize("kind", [Dropping, Hiding, Adding])
def test_they_are_resumed_tested_and_loaded(run_cli, small_data, kind):
    same = options(kind.__name__)
    fitted(run_cli("fit", *same, "--trainer.max_epochs", "1"))
    assert "resuming after epoch 0" in fitted(run_cli("fit", *same))
    assert "is complete" in fitted(run_cli("fit", *same))
    fitted(run_cli("test", *same))
    assert "body.weight" not in torch.load(last(kind.__name__), weights_only=True)["state_dict"]

    data = MNISTDataModule(small_data, "KMNIST")
    data.setup("test")
    run = Path("tb_logs", kind.__name__, "seed_42")
    answer = lit_mnist.load(run, [kind]).predict(data.test_set.images).probabilities
    with (run / "predictions.csv").open(newline="") as file:
        written = [[float(row[f"p{digit}"]) for digit in range(10)] for row in csv.DictReader(file)]
    assert answer == pytest.approx(np.array(written), abs=1e-6)
    best = kind.load_from_checkpoint(run / "checkpoints" / "best.ckpt", map_location="cpu").eval()
    with torch.no_grad():
        plain = best(data.test_set.images[:, None] / 255).softmax(1)
    assert answer == pytest.approx(plain.numpy(), abs=1e-6)


def test_they_form_a_committee(run_cli, in_process):
    same = ("--model", f"{__name__}.Dropping", "--name", "several", "--trainer.max_epochs", "1")
    fitted(run_cli("committee", *same, "--members", "2"))
    assert lit_mnist.load("tb_logs/several/committee_2").predict(np.zeros((28, 28))).votes.size == 2


def test_weights_that_are_set_at_the_end_are_saved(run_cli):
    output = fitted(run_cli("fit", *options("DroppingHalving"), "--trainer.max_epochs", "1"))
    assert "last.ckpt holds the weights that DroppingHalving set at the end" in output


@pytest.mark.parametrize("name", ["Dropping", "Adding"])
def test_those_of_another_shape_are_refused(run_cli, name):
    fitted(run_cli("fit", *options(name), "--trainer.max_epochs", "1"))
    change(last(name), put("state_dict", "net.1.weight", torch.zeros(3, 784)))
    last(name).with_name("best.ckpt").unlink()
    status, _, problems = run_cli("fit", *options(name))
    assert (status, problems.count("\n")) == (2, 1)
    assert "its weights do not fit the model: net.1.weight is of another shape" in problems


def test_a_module_that_leaves_nothing_out_is_checked_strictly(run_cli):
    fitted(run_cli("fit", *recipe("Cosine"), "--trainer.max_epochs", "1"))
    change(last("Cosine"), put("state_dict", "net.1.weight", ...))
    last("Cosine").with_name("best.ckpt").unlink()
    status, _, problems = run_cli("fit", *recipe("Cosine"))
    assert (status, problems.count("\n")) == (2, 1)
    assert "its weights do not fit the model: net.1.weight is missing" in problems


def test_a_layer_that_training_adds_is_named(run_cli):
    fitted(run_cli("fit", *options("Growing"), "--trainer.max_epochs", "1"))
    status, _, problems = run_cli("fit", *options("Growing"))
    assert (status, problems.count("\n")) == (2, 1)
    assert (
        "model: extra.bias is not in it, when __init__ and configure_model have built" in problems
    )
