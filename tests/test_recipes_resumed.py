"""Recipes of a user, stopped within an epoch, resume bit-identically.

An epoch has 9 batches: 8 of 60 images, and one of 20.
"""

import re

import pytest

from tests.fitting import callback, fitted, recipe
from tests.stopping import STOP_AT, assert_same_end, checkpoint, folder, stopped
from tests.trained import contents

RECIPES = {
    "a schedule of epochs, all augmentation": [
        *(*recipe("Cosine"), *callback("LearningRateMonitor"), "--data.augment", "true"),
        *("--data.shear", "9", "--data.elastic", "0.7"),
    ],
    "a schedule of steps": recipe("OneCycle"),
    "one cycle of ours, batch norm": [
        *("--model", "ConvNetModule", "--model.widths", "[[4], [8]]", "--model.kernels", "[3, 3]"),
        *("--model.one_cycle", "true"),
    ],
    "batch norm, a frozen layer, an unused parameter, a growing number of batches a step": [
        *recipe("Fixed"),
        *callback("GradientAccumulationScheduler", scheduling="{1: 2}"),
    ],
    "a module's number of batches a step": recipe("Accumulating"),
    "what is set up at an epoch's start": [
        *(*recipe("SetsUpEpochs"), *callback("tests.recipes.CountsEpochs")),
        *callback("LearningRateMonitor", logging_interval="epoch"),
    ],
    "odd weights, means and metrics of the user's, noise of NumPy": recipe("OddModule"),
    "a plateau of the user's, each step": recipe("StepPlateau"),
    "a plateau of the user's, each epoch, an average of the weights": [
        *recipe("EpochPlateau"),
        *callback("EMAWeightAveraging", decay="0.9"),
    ],
    "a schedule whose length its setup computes": recipe("SetsUpItsSchedule"),
    "two optimizers by hand": recipe("TwoOptimizers"),
    "an optimizer and schedules of the user's own classes": recipe("OwnOptimization"),
    "an average at the end": callback(
        "StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1"
    ),
    "an average at the end, with batch norm": [
        *recipe("Fixed"),
        *callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1"),
    ],
}


@pytest.mark.parametrize("options", RECIPES.values(), ids=RECIPES)
def test_a_run_stopped_within_an_epoch_resumes_bit_identically(run_cli, monkeypatch, options):
    same = (*options, STOP_AT, "--every_n_train_steps", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    # at a batch of the first epoch, before its validation, and at a batch of the second
    for moment, epoch in (("5", 0), ("validation", 0), ("10", 1)):
        stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
        assert checkpoint("last", folder("cut"))["epoch"] == epoch
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


@pytest.mark.parametrize(
    "options",
    [recipe("OddModule"), ("--trainer.precision", "64-true"), ("--trainer.precision", "bf16-true")],
    ids=["extra state", "float64", "bfloat16"],
)
def test_a_finished_run_with_an_average_goes_on_from_its_own_weights(run_cli, options):
    same = ("fit", *options, *callback("EMAWeightAveraging", decay="0.9"))
    fitted(run_cli(*same, "--name", "whole", "--trainer.max_epochs", "3"))
    for limit in "23":
        output = fitted(run_cli(*same, "--name", "parts", "--trainer.max_epochs", limit))
        assert "holds the weights that" not in output  # those of the average, which it had already
        assert (folder("parts") / "checkpoints" / "best.ckpt").exists()
    assert_same_end(folder("whole"), folder("parts"))


@pytest.mark.parametrize("epochs", ["2", "5"], ids=["at the end", "within an epoch"])
def test_our_plateau_counts_a_validation_once(run_cli, monkeypatch, epochs):
    config, limit = {"config": "simple_plateau"}, "--trainer.max_epochs"
    same = (STOP_AT, "--every_n_train_steps", "3", "--model.patience", "1", "--model.lr", "0.05")
    fit = ("fit", *same, "--trainer.check_val_every_n_epoch", "2")
    fitted(run_cli(*fit, "--name", "whole", limit, "5", **config))
    cut = (*fit, "--name", "cut", limit)
    if epochs == "5":  # in the third, which is not validated
        stopped(run_cli, monkeypatch, "23", *cut, epochs, **config)
    else:
        fitted(run_cli(*cut, epochs, **config))
    fitted(run_cli(*cut, "5", **config))
    assert_same_end(folder("whole"), folder("cut"))


def test_a_pruned_run_is_not_resumed_without_its_masks(run_cli):
    pruning = callback("ModelPruning", pruning_fn="l1_unstructured", amount="0.3")
    once = ("fit", *pruning, "--trainer.max_epochs", "1")
    fitted(run_cli(*once))
    before = contents()
    last = folder("dense") / "checkpoints" / "last.ckpt"
    for more in ((), ("--name", "new", "--ckpt_path", str(last))):
        status, _, problems = run_cli("fit", *pruning, *more)
        assert status == 2
        assert f"{last}: without ModelPruning's masks" in problems
        assert problems.count("\n") == 1
    assert contents() == before
    assert "is complete: 1 epoch;" in fitted(run_cli(*once))


def test_a_run_whose_optimizer_has_grown_is_complete_and_says_why_it_cannot_go_on(run_cli):
    twice = ("fit", *recipe("UnfreezesByHand"))
    fitted(run_cli(*twice))
    assert "is complete: 2 epochs" in fitted(run_cli(*twice))
    (folder("UnfreezesByHand") / "checkpoints" / "best.ckpt").unlink()
    status, _, problems = run_cli(*twice, "--trainer.max_epochs", "3")
    assert status == 2
    told = "last.ckpt: saved with groups of [24] and 2 weights in its Adam, and configure_optim"
    assert re.search(told, problems)
    assert problems.count("\n") == 1


def test_the_epoch_added_by_weight_averaging_is_resumed(run_cli, monkeypatch):
    average = RECIPES["an average at the end, with batch norm"]
    same = (*average, STOP_AT, "--trainer.max_epochs", "2")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "20", "fit", *same, "--name", "cut")  # of 18, and 9 more
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))
    assert "is complete: 3 epochs" in fitted(run_cli("fit", *same, "--name", "cut"))


def without_events():
    return {path: content for path, content in contents().items() if "tfevents" not in path.name}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("OneCycle", "OneCycleLR was made for total_steps 18 "),
        ("WholeCosine", "CosineAnnealingLR was made for T_max 2 "),
        ("WholeSteps", "StepLR was made for step_size 1 "),
        ("WholeLine", r"LambdaLR was made for a rate of 0 at its step 18 and would "),
    ],
)
def test_a_schedule_of_fixed_length_is_not_resumed_with_another_length(run_cli, name, told):
    fitted(run_cli("fit", *recipe(name)))
    before = without_events()
    status, _, problems = run_cli("fit", *recipe(name), "--trainer.max_epochs", "4")
    assert status == 2
    assert re.fullmatch(rf"error: {told}[^\n]+\n", problems)
    assert without_events() == before


@pytest.mark.parametrize("name", ["WholeSteps", "WholeLine"])
def test_a_schedule_that_depends_on_the_length_goes_on_within_it(run_cli, monkeypatch, name):
    same = ("fit", *recipe(name), STOP_AT, "--every_n_train_steps", "3")
    stopped(run_cli, monkeypatch, "13", *same)
    assert "resuming after step 3 of epoch 1" in fitted(run_cli(*same))


def test_a_schedule_that_ends_before_training_is_refused(run_cli):
    short = (*recipe("ShortCycle"), "--trainer.max_epochs")
    status, _, problems = run_cli("fit", *short, "3")
    assert status == 2
    assert "OneCycleLR ends after 18 steps, and training has 27" in problems
    fitted(run_cli("fit", *short, "2"))
