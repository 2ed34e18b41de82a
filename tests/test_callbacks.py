"""Stock callbacks and a user's own, through the real program."""

import json
import re
from pathlib import Path

import pytest
import torch

from lit_mnist.runs import entries
from tests.fitting import callback, fitted, recipe, rows
from tests.stopping import STOP_AT, assert_same_end, folder, stopped
from tests.trained import contents

RUN = folder("dense")


def refused(outcome, *words):
    status, _, problems = outcome
    assert status == 2
    assert re.fullmatch(r"error: [^\n]+\n", problems)
    assert not re.search(r"<class|0x[0-9a-f]{6}", problems)
    for word in words:
        assert word in problems


FINDERS = [
    *callback("BatchSizeFinder", init_val=20, max_trials=2),
    *callback("LearningRateFinder", num_training_steps=15, early_stop_threshold="null"),
]
STATEFUL = [
    pytest.param(FINDERS, "14", id="what was searched for", marks=pytest.mark.slow),
    pytest.param(callback("tests.recipes.Unfreeze"), "16", id="layers that are unfrozen"),
    pytest.param(callback("SpikeDetection", rtol="1.5"), "14", id="spikes", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("options", "moment"), STATEFUL)
def test_a_run_with_stock_callbacks_resumes_bit_identically(run_cli, monkeypatch, options, moment):
    same = (*options, STOP_AT, "--every_n_train_steps", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    fitted(run_cli("test", *same, "--name", "cut"))


def test_a_new_run_from_another_s_weights_takes_its_own_options(run_cli):
    """Except for what the optimizer's state sets, which is told, and what it would search for."""
    fitted(run_cli("fit", *FINDERS, "--name", "first", "--trainer.max_epochs", "1"))
    start = folder("first") / "checkpoints" / "last.ckpt"
    found = torch.load(start, weights_only=True)[entries.SEARCHED]
    assert found["batch_size"] == 40
    begun = ("--ckpt_path", str(start), "--trainer.max_epochs", "2")
    output = fitted(run_cli("fit", *begun, "--name", "own", "--data.batch_size", "50"))
    assert f"its optimizer and schedule go on, with lr {found['lr']} (not 0.001)" in output
    last = torch.load(folder("own") / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] - torch.load(start, weights_only=True)["global_step"] == 10
    assert entries.SEARCHED not in last
    output = fitted(run_cli("fit", *begun, "--name", "searching", *FINDERS))
    assert "searches only in a new run" in output
    last = torch.load(folder("searching") / "checkpoints" / "last.ckpt", weights_only=True)
    assert last[entries.SEARCHED] == found


def test_fresh_ignores_a_checkpoint_saved_on_exception(run_cli, monkeypatch):
    same = (STOP_AT, *callback("OnExceptionCheckpoint", dirpath="rescued"))
    stopped(run_cli, monkeypatch, "14", "fit", *same)
    assert Path("rescued/on_exception.ckpt").exists()
    fitted(run_cli("fit", *same, "--fresh", "--trainer.max_epochs", "1"))
    assert [row["epoch"] for row in rows()] == ["0"]


def test_weights_pruned_after_validation_are_not_scored_as_best(run_cli):
    pruning = callback("ModelPruning", pruning_fn="l1_unstructured", make_pruning_permanent="false")
    once = ("--trainer.max_epochs", "1", *pruning, *callback("TQDMProgressBar"))
    output = fitted(run_cli("fit", *once))
    assert "the weights changed after each validation, so there is no best.ckpt" in output
    assert not (RUN / "checkpoints" / "best.ckpt").exists()
    assert "best_val_acc" not in json.loads((RUN / "results.json").read_text())
    config = (RUN / "config.yaml").read_text()
    assert "pruning_fn: l1_unstructured\n" in config
    weights = torch.load(RUN / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert (weights["net.1.weight"] == 0).float().mean() > 0.3
    status, _, problems = run_cli("test")
    assert status == 0
    assert "taking tb_logs/dense/seed_42/checkpoints/last.ckpt" in problems
    assert "is complete" in fitted(run_cli("fit", *once))


def test_a_run_stopped_before_its_first_batch_reports_no_training(run_cli):
    output = fitted(run_cli("fit", *callback("tests.recipes.StopsAtOnce")))
    assert "nothing was trained, so there is nothing to test" in output
    assert not (RUN / "metrics.csv").exists()


REFUSED = {
    "the same twice": (callback("EarlyStopping", monitor="val_loss") * 2, "more than one"),
    "no such metric": (callback("EarlyStopping", monitor="nope"), "metric `nope`"),
    "a bad value": (
        callback("EarlyStopping", monitor="val_loss", mode="up"),
        "--trainer: `mode` can be min, max, got up\n",
    ),
    "no argument": (callback("EarlyStopping"), "the following arguments are required: monitor;"),
    "an empty checkpoint": (["--ckpt_path", ""], "--ckpt_path: is empty"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_unsupported_callbacks_are_refused_with_a_clear_message(run_cli, options, message):
    refused(run_cli("fit", "--trainer.max_epochs", "1", *options), message)


def test_a_layer_created_in_setup_is_resumed_and_tested(run_cli):
    fitted(run_cli("fit", *recipe("LateLayer"), "--trainer.max_epochs", "1"))
    fitted(run_cli("test", *recipe("LateLayer")))
    fitted(run_cli("fit", *recipe("LateLayer")))
    assert len(rows("LateLayer")) == 2


def test_a_checkpoint_without_lightning_s_keys_is_refused(run_cli):
    fitted(run_cli("fit", *recipe("Tenth"), "--trainer.max_epochs", "1"))
    last = torch.load(folder("Tenth") / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save({"state_dict": last["state_dict"]}, "hand.ckpt")
    before = contents()
    refused(run_cli("test", *recipe("Tenth"), "--ckpt_path", "hand.ckpt"), "hand.ckpt: written by")
    assert contents() == before


def test_a_run_refused_before_training_leaves_no_file(run_cli):
    refused(run_cli("fit", *callback("BackboneFinetuning")), "cannot work with this model")
    assert not Path("tb_logs").exists()


def test_a_start_that_failed_leaves_nothing_for_the_next_one_to_show(run_cli):
    same = ("--name", "dense", "--trainer.max_epochs", "1")
    refused(run_cli("fit", "--model", "tests.recipes.FewLogits", *same), "FewLogits")
    fitted(run_cli("fit", *same))
    for part in (".", "train", "val", "final"):
        assert len(list((RUN / part).glob("events.out.tfevents.*"))) == 1
