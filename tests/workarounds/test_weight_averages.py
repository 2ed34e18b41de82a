"""An average of weights resumes exactly after its last epoch, and is saved as it is validated."""

import os

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging
from torch import nn

from lit_mnist.models import DenseModule
from lit_mnist.workarounds.weight_averages import extra_state_in_force, late_averages
from tests.fitting import callback, fitted
from tests.stopping import STOP_AT, assert_same_end, checkpoint, folder, results, stopped


class Norms(DenseModule):
    """Has batch norm, for which another epoch follows the average."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 10))


class StopAtTheEnd(Callback):
    """Presses Ctrl-C behind the last checkpoint, before other callbacks end training."""

    def on_train_end(self, trainer, module):
        if os.environ.get("STOP_AT") == "the end":
            raise KeyboardInterrupt


AVERAGED = (
    *(STOP_AT, f"--trainer.callbacks+={__name__}.StopAtTheEnd"),
    *callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1"),
)


def average(name):
    return checkpoint("last", folder(name))["callbacks"]["StochasticWeightAveraging"]


def fit(name, epochs, model):
    return ("fit", "--model", model, *AVERAGED, "--name", name, "--trainer.max_epochs", epochs)


@pytest.mark.parametrize(
    ("model", "moment", "counts"),
    [
        (f"{__name__}.Norms", "20", (2, 3)),  # in the epoch behind two of nine steps
        (f"{__name__}.Norms", "the end", (2, 3)),
        ("DenseModule", "the end", (2, 4)),
    ],
)
def test_an_average_goes_on_from_after_its_last_epoch(run_cli, monkeypatch, model, moment, counts):
    fitted(run_cli(*fit("whole", "2", model)))
    stopped(run_cli, monkeypatch, moment, *fit("cut", "2", model))
    for epochs, count in zip(("2", "4"), counts, strict=True):
        for name in ("whole", "cut"):
            fitted(run_cli(*fit(name, epochs, model)))
        assert_same_end(folder("whole"), folder("cut"))
        one, other = average("whole"), average("cut")
        assert one["n_averaged"] == other["n_averaged"] == count
        assert one["scheduler_state"] == other["scheduler_state"]
        weights = [state["average_model_state"] for state in (one, other)]
        assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
        assert results(folder("cut"))["status"] == "complete"


def test_upstream_still_forgets_what_it_has_loaded():
    average = StochasticWeightAveraging(0.1)
    counts, schedule = {"n_averaged": 2, "latest_update_epoch": 1}, {"last_epoch": 3}
    loaded = counts | {"scheduler_state": schedule, "average_model_state": None}
    average.load_state_dict(loaded)
    assert average.state_dict() == loaded | {"n_averaged": 0, "scheduler_state": None}
    with late_averages():
        assert average.state_dict() == loaded


class Counts(DenseModule):
    """Its answers depend on extra state."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(784, 10))
            self.seen = 0

        def forward(self, images):
            self.seen += len(images) if self.training else 0
            return super().forward(images) / (1 + self.seen / 500)

        def get_extra_state(self):
            return {"seen": self.seen}

        def set_extra_state(self, state):
            self.seen = state["seen"]


def test_the_best_average_is_saved_with_the_extra_state_that_was_scored(run_cli):
    options = ("--model", f"{__name__}.Counts", "--name", "counts")
    options += (*callback("EMAWeightAveraging", decay="0.5"), "--trainer.max_epochs", "1")
    fitted(run_cli("fit", *options))
    best = checkpoint("best", folder("counts"))["state_dict"]
    assert best["net._extra_state"] == {"seen": 500}
    score = results(folder("counts"))["best_val_loss"]
    assert f"val_loss {score:.4f}" in fitted(run_cli("validate", *options))


def test_upstream_still_saves_the_extra_state_of_the_start():
    module, average = Counts(), EMAWeightAveraging()
    average.setup(None, module, "fit")
    module.net.seen = 7
    checkpoint = {"state_dict": module.state_dict()}
    average.on_save_checkpoint(None, module, checkpoint)
    assert checkpoint["state_dict"]["net._extra_state"] == {"seen": 0}
    with extra_state_in_force():
        checkpoint = {"state_dict": module.state_dict()}
        average.on_save_checkpoint(None, module, checkpoint)
    assert checkpoint["state_dict"]["net._extra_state"] == {"seen": 7}
