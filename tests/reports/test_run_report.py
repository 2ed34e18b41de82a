"""What a test records of modules that evaluate in hooks or steps of their own."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lit_mnist.models import ClassifierModule, novelty
from lit_mnist.pictures import letters
from lit_mnist.reports import no_digit


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 16), nn.Tanh(), nn.Linear(16, 10))


class InForward(ClassifierModule):
    """Shows the net the mirror image."""

    net_type = Net

    def forward(self, images):
        return self.net(images.flip(3))


class BeforeTransfer(ClassifierModule):
    """Likewise, in a hook, where images are uint8 (B, 28, 28)."""

    net_type = Net

    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch.replace(images=batch.images.flip(2))


class AfterTransfer(ClassifierModule):
    net_type = Net

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch.replace(images=batch.images.flip(3))


class Other(ClassifierModule):
    """Evaluates with other weights than those that it trains."""

    net_type = Net

    def __init__(self):
        super().__init__()
        self.other = Net().requires_grad_(False)

    def configure_optimizers(self):
        return torch.optim.SGD(self.net.parameters(), lr=0.1)

    def forward(self, images):
        return (self.net if self.training else self.other)(images)


class Swapped(Other):
    """Likewise: swaps them in as a test starts, and back as it ends."""

    def forward(self, images):
        return self.net(images)

    def swap(self):
        self.net, self.other = self.other, self.net

    on_test_epoch_start = on_test_epoch_end = swap


def outcome(run_cli, kind):
    """Trains and tests a module; returns the test's outcome and results.json."""
    options = ("--model", f"{__name__}.{kind.__name__}", "--name", kind.__name__)
    status, _, problems = run_cli("fit", *options)
    assert status == 0, problems
    outcome = run_cli("test", *options)
    return outcome, json.loads(Path(f"tb_logs/{kind.__name__}/seed_42/results.json").read_text())


@pytest.fixture
def as_of_digits(monkeypatch):
    """The detector of images that are no digit is fitted, to a few letters."""
    drawn = letters.draw_all("HKMX", 2)
    monkeypatch.setattr(letters, "draw_all", lambda: drawn)
    monkeypatch.setattr(novelty, "FEWEST", 1)
    monkeypatch.setattr(no_digit, "class_names", lambda dataset: None)


@pytest.mark.parametrize(
    ("kind", "same"),
    [(BeforeTransfer, InForward), (AfterTransfer, InForward), (Swapped, Other)],
)
def test_calibration_and_detector_are_of_what_was_tested(run_cli, request, kind, same):
    if kind is not Swapped:  # whose last layer is one that is not called
        request.getfixturevalue("as_of_digits")
    (_, found), (_, expected) = (outcome(run_cli, one) for one in (kind, same))
    assert found["test_loss"] == expected["test_loss"]
    assert found["calibration"] == expected["calibration"]
    assert found["calibration"]["temperature"] > 0
    assert found["novelty"] == expected["novelty"]
    assert "threshold" in found["novelty"] or kind is Swapped


class PerBatch(ClassifierModule):
    net_type = Net

    def on_test_batch_start(self, batch, batch_idx):
        self.tested = True

    def on_test_batch_end(self, *_):
        self.tested = False

    def forward(self, images):
        return -self.net(images) if getattr(self, "tested", False) else self.net(images)


def test_no_calibration_is_of_what_was_set_up_for_each_batch(run_cli):
    why = "PerBatch has an on_test_batch_start of its own, made for test images"
    assert outcome(run_cli, PerBatch)[1]["calibration"] == {"missing": why}


class LogsAnother(ClassifierModule):
    """Scores an average of its own, of which it returns nothing."""

    net_type = Net

    def test_step(self, batch, batch_idx):
        found = self(batch.images.flip(3)).softmax(1)
        right = (found.argmax(1) == batch.labels).float().mean()
        loss = nn.functional.nll_loss(found.log(), batch.labels)
        self.log_dict({"test_acc": right, "test_loss": loss}, batch_size=len(batch.labels))
        return found if self.returns else None

    returns = False


class ReturnsIt(LogsAnother):
    returns = True


def looks(kind):
    with Path(f"tb_logs/{kind.__name__}/seed_42/ledger.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_scores_that_contradict_each_other_are_not_recorded(run_cli):
    (status, output, _), results = outcome(run_cli, LogsAnother)
    assert status == 0
    assert "the module has logged test_acc 0." in output
    assert "nothing is recorded except a line in" in output
    assert not [name for name in results if name.startswith("test_")]
    (look,) = looks(LogsAnother)
    assert float(look["test_acc"]) > 0.8  # both of the plain image
    assert float(look["test_loss"]) < 2

    _, results = outcome(run_cli, ReturnsIt)
    assert results["test_acc"] < 0.5
    assert results["test_loss"] > 2


class LogsLate(InForward):
    """Logs another accuracy once all images are scored."""

    def on_test_epoch_end(self):
        if self.logs:
            self.log("test_acc", 0.125)

    logs = True


def test_a_test_that_is_not_recorded_leaves_no_detector(run_cli, as_of_digits, monkeypatch):
    detector = Path("tb_logs/LogsLate/seed_42/novelty.npz")
    (_, output, _), results = outcome(run_cli, LogsLate)
    assert "the module has logged test_acc 0.1250, but" in output
    assert "novelty" not in results
    assert not detector.exists()
    monkeypatch.setattr(LogsLate, "logs", False)
    _, results = outcome(run_cli, LogsLate)
    with np.load(detector) as saved:
        assert saved["weights_sha256"] == results["test_weights_sha256"]


class Standardised(ClassifierModule):
    """Divides by each image's deviation, which is 0 of a blank one."""

    net_type = Net

    def forward(self, images):
        return self.net(images / images.std(dim=(2, 3), keepdim=True))


@pytest.mark.parametrize("blank", ["test", "train"])
def test_images_without_an_answer_are_told(run_cli, monkeypatch, blank):
    from lit_mnist.data import download

    load = download.load

    def with_blank(dataset, split, *rest):
        found = load(dataset, split, *rest)
        if split == blank:
            found.images[found.labels.long() == 0] = 0
        return found

    options = ("--model", f"{__name__}.Standardised", "--name", "Standardised")
    assert run_cli("fit", *options)[0] == 0
    monkeypatch.setattr(download, "load", with_blank)
    output = run_cli("test", *options)[1]
    results = json.loads(Path("tb_logs/Standardised/seed_42/results.json").read_text())
    if blank == "train":
        assert results["calibration"] == {"missing": "a held-out image has no answer but NaN"}
        return
    assert " of 101 images have no answer but NaN: nothing is recorded except" in output
    assert "test_acc" not in results
    (look,) = looks(Standardised)
    assert int(look["test_errors"]) >= 5
