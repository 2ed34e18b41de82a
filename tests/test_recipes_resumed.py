"""Recipes of a user's own, stopped within an epoch, go on to the same bits.

An epoch has 9 batches: 8 of 60 images, and one of 20.
"""

import pytest

from tests.test_recipes import callback, fitted, recipe
from tests.test_stopping import STOP_AT, assert_same_end, folder, stopped

RECIPES = {
    "a schedule of epochs": recipe("Cosine"),
    "a schedule of steps": recipe("OneCycle"),
    "batch norm, a frozen layer, an unused parameter": recipe("Fixed"),
    "a plateau of the user's, each step": recipe("StepPlateau"),
    "a plateau of the user's, each epoch": recipe("EpochPlateau"),
    "two optimizers by hand": recipe("TwoOptimizers"),
    "an average of the weights": callback("EMAWeightAveraging", decay="0.9"),
    "an average at the end": callback(
        "StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1"
    ),
    "an average at the end, with batch norm": [
        *recipe("Fixed"),
        *callback("StochasticWeightAveraging", swa_lrs="0.01", swa_epoch_start="1"),
    ],
    "a growing number of batches a step": callback(
        "GradientAccumulationScheduler", scheduling="{1: 2}"
    ),
}


MOMENTS = ["5", "14", "validation", "23"]  # the fifth batch, ...; the first validation


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("options", RECIPES.values(), ids=RECIPES)
def test_a_run_that_is_stopped_within_an_epoch_goes_on_to_the_same_bits(
    run_cli, monkeypatch, options, moment
):
    same = (*options, STOP_AT, "--every_n_train_steps", "3", "--trainer.max_epochs", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


def test_what_no_checkpoint_holds_is_said(run_cli):
    pruning = callback("ModelPruning", pruning_fn="l1_unstructured", amount="0.3")
    fitted(run_cli("fit", *pruning, "--trainer.max_epochs", "1"))
    with pytest.warns(UserWarning, match="ModelPruning keeps its masks in no checkpoint"):
        fitted(run_cli("fit", *pruning))
