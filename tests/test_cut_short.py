"""Runs that end within an epoch, and are interrupted behind their last step, end as others do.

An epoch has 9 batches: 8 of 60 images, and one of 20.
"""

import csv
from pathlib import Path

import pytest
import torch

from lit_mnist.runs import checkpoints
from tests import kept
from tests.fitting import callback, fitted
from tests.stopping import assert_same_end, folder, results

OWN = Path("tb_logs/kept")
EARLY = callback("EarlyStopping", monitor="val_acc", mode="max", stopping_threshold="0.05")
AVERAGE = callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1")
ENDS = {
    "early stopping": (*EARLY, "--trainer.val_check_interval", "3"),
    "max_steps": ("--trainer.max_steps", "5"),
    "max_steps at a validation": ("--trainer.max_steps=5", "--trainer.val_check_interval=5"),
    "an average": (*AVERAGE, "--trainer.max_steps", "13"),  # within the second epoch
    "a request": ("--model.lr", "0.002"),  # an option by which its run is known
}


def fit(name, *options):
    """A command whose callbacks log, and save, at the end of each epoch; it has a table, too."""
    own = {"filename": "{epoch}-{step}", "save_top_k": "-1", "save_on_train_epoch_end": "true"}
    table = {"save_dir": "tb_logs/csv", "name": name, "version": "0"}
    return (
        *("fit", "--name", name, *callback("tests.ends.Ends")),
        *callback("ModelCheckpoint", dirpath=OWN / name, save_last="true", **own),
        *("--trainer.logger", "CSVLogger", "--trainer.log_every_n_steps", "1"),
        *(f"--trainer.logger.{key}={value}" for key, value in table.items()),
        *options,
    )


def logged(name):
    """What the table says, each value as a set of its own: rows may have been split."""
    with Path(f"tb_logs/csv/{name}/version_0/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = [(row["step"], *pair) for row in rows for pair in row.items() if all(pair)]
    return sorted(pair for pair in pairs if pair[1] not in ("step", "epoch", "seconds"))


def kept_of(name):
    """The step and the scores of each file of the ModelCheckpoint."""
    files = {
        path.name: torch.load(path, weights_only=True) for path in OWN.joinpath(name).iterdir()
    }
    return {
        name: (saved["global_step"], checkpoints.scores(saved)) for name, saved in files.items()
    }


def assert_same(first, second):
    assert_same_end(folder(first), folder(second))
    assert logged(first) == logged(second)
    assert kept_of(first) == kept_of(second)
    ends = [results(folder(name)) for name in (first, second)]
    for entry in ("status", "ended_by", "epochs", "steps", "best_val_acc"):
        assert ends[0].get(entry) == ends[1].get(entry)


def interrupted(run_cli, monkeypatch, hook, *command):
    monkeypatch.setenv("STOP_IN", hook)
    with pytest.raises(SystemExit):
        run_cli(*command)
    monkeypatch.setenv("STOP_IN", "")


@pytest.mark.parametrize(
    ("end", "hook"),
    [
        ("early stopping", "on_train_epoch_end"),
        ("early stopping", "on_train_end"),
        ("max_steps", "on_train_epoch_end"),
        ("max_steps", "on_fit_end"),
        ("max_steps at a validation", "on_validation_end"),
        ("an average", "on_train_end"),
        ("a request", "on_validation_end"),
        ("a request", "on_train_epoch_end"),
        ("a request", "on_train_end"),
    ],
)
def test_what_follows_the_last_step_is_made_up_for(run_cli, shared, monkeypatch, end, hook):
    monkeypatch.setenv("ASK_AT", "4" if end == "a request" else "")
    kept.fitted(shared, run_cli, *fit("whole", *ENDS[end])[1:])
    assert len(logged("whole")) > 3
    interrupted(run_cli, monkeypatch, hook, *fit("cut", *ENDS[end]))
    fitted(run_cli(*fit("cut", *ENDS[end])))
    assert_same("whole", "cut")


@pytest.mark.parametrize("hook", ["on_validation_start", "on_validation_end"])
def test_the_last_validation_is_made_up_for_if_the_limit_is_raised_then(
    run_cli, shared, monkeypatch, hook
):
    options = ENDS["max_steps at a validation"]
    more = ("--trainer.max_steps", "12")
    kept.fitted(shared, run_cli, *fit("whole", *options, *more)[1:])
    interrupted(run_cli, monkeypatch, hook, *fit("cut", *options))
    fitted(run_cli(*fit("cut", *options, *more)))
    assert_same("whole", "cut")


def test_a_request_to_stop_holds_until_min_epochs(run_cli, monkeypatch):
    monkeypatch.setenv("ASK_AT", "4")
    options = ("--trainer.min_epochs", "2", "--trainer.max_epochs", "3")
    for name in ("whole", "cut"):
        if name == "cut":
            interrupted(run_cli, monkeypatch, "on_train_end", *fit(name, *options))
        fitted(run_cli(*fit(name, *options)))
    assert results(folder("whole"))["steps"] == 18
    assert_same("whole", "cut")


def test_a_run_that_goes_on_forgets_the_request_for_good(run_cli, monkeypatch):
    options = ("--every_n_train_steps", "3", "--trainer.val_check_interval", "3")
    more = (*options, "--trainer.max_epochs", "3")
    fitted(run_cli(*fit("whole", *more)))
    monkeypatch.setenv("ASK_AT", "4")
    assert "has asked to stop" not in fitted(run_cli(*fit("cut", *options)))
    monkeypatch.setenv("ASK_AT", "")
    interrupted(run_cli, monkeypatch, "on_train_batch_start", *fit("cut", *more))
    assert "has asked to stop" not in fitted(run_cli(*fit("cut", *more)))
    assert_same_end(folder("whole"), folder("cut"))
    assert {*logged("whole")} <= {*logged("cut")}  # which was also validated at its fourth step
