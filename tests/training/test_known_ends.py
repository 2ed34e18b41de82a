"""Runs that a module's own callbacks end, or at whose end its own code acts."""

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import StochasticWeightAveraging

from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run
from lit_mnist.runs.tested import why_untested
from tests import recipes
from tests.conftest import equal_weights
from tests.fitting import callback, fitted, recipe
from tests.stopping import folder, results
from tests.trained import contents


def refused(outcome):
    status, _, problems = outcome
    assert status == 2
    *notes, line = problems.splitlines()
    assert not any(note.startswith(("error", "Traceback")) for note in notes)
    return line


def test_a_limit_of_time_of_the_module_is_named(run_cli):
    timed = ("fit", *recipe("Timed"))
    fitted(run_cli(*timed))
    assert (results(folder("Timed"))["epochs"], results(folder("Timed"))["ended_by"]) == (
        1,
        "max_time",
    )
    fitted(run_cli("test", *recipe("Timed")))
    before = contents()
    place = "the Timer of Timed.configure_callbacks"
    assert f"is complete: 1 epoch; {place} (0:00:00.001000) is reached" in fitted(run_cli(*timed))
    for option, value in (("max_epochs", "9"), ("max_time", "00:00:01:00")):
        problems = refused(run_cli(*timed, f"--trainer.{option}", value))
        assert f"has no effect, as {place} (0:00:00.001000) is reached; raise {place}" in problems
    assert contents() == before
    assert why_untested(Run(folder("Timed"))) == ""


def test_a_run_goes_on_once_the_module_gives_it_more_time(run_cli, monkeypatch):
    timed = ("fit", *recipe("Timed"))
    fitted(run_cli(*timed))
    monkeypatch.setattr(recipes.Timed, "milliseconds", 60_000)
    fitted(run_cli(*timed))
    assert results(folder("Timed"))["epochs"] == 2


def test_more_of_another_limit_than_of_a_timer_among_the_options_is_refused(run_cli):
    def timed(seconds):
        return ("fit", *callback("Timer", duration=f"00:00:00:{seconds:02}", interval="epoch"))

    fitted(run_cli(*timed(0), "--trainer.min_epochs", "1"))
    problems = refused(run_cli(*timed(0), "--trainer.max_time", "00:00:01:00"))
    assert "raise the Timer of --trainer.callbacks instead" in problems
    fitted(run_cli(*timed(59)))
    assert results()["epochs"] == 2


def test_a_run_goes_on_once_the_module_gives_it_more_patience(run_cli, monkeypatch):
    patient = ("fit", *recipe("Patient"), "--trainer.max_epochs")
    fitted(run_cli(*patient, "5"))
    assert results(folder("Patient"))["epochs"] == 2
    assert "has no effect, as EarlyStopping has ended the run" in refused(run_cli(*patient, "6"))
    assert "is complete: 2 epochs; ended by EarlyStopping" in fitted(run_cli(*patient, "5"))
    monkeypatch.setattr(recipes.Patient, "waits", 2)
    fitted(run_cli(*patient, "6"))
    assert results(folder("Patient"))["epochs"] == 3


@pytest.mark.parametrize(
    ("name", "place"), [("Halving", recipes.Halving), ("Averaging", StochasticWeightAveraging)]
)
def test_a_run_killed_before_its_end_is_ended_by_the_same_command(
    run_cli, monkeypatch, name, place
):
    def killed(*_):
        raise KeyboardInterrupt

    fitted(run_cli("fit", *recipe(name)))
    cut = ("fit", *recipe(name), "--name", "cut")
    with monkeypatch.context() as patch:
        patch.setattr(place, "on_train_end", killed)
        with pytest.raises(SystemExit):
            run_cli(*cut)
    assert "last.ckpt holds the weights that" in fitted(run_cli(*cut))
    assert equal_weights(folder(name), folder("cut"), "last")
    assert results(folder("cut"))["status"] == "complete"
    Run(folder("cut")).update_results(status="running")  # as if killed just after
    assert "is complete: 2 epochs" in fitted(run_cli(*cut))
    assert equal_weights(folder(name), folder("cut"), "last")
    assert results(folder("cut"))["status"] == "complete"
    fitted(run_cli(*cut, "--trainer.max_epochs", "3"))
    assert results(folder("cut"))["epochs"] == 3


def test_an_epoch_whose_rest_is_left_out_is_told(run_cli):
    """To go on within it would take the weights of before the end."""
    fit = ("fit", *recipe("Halving"))
    fitted(run_cli(*fit, "--trainer.max_steps", "13"))
    left = "left at step 4, as its weights were set at the end of training"
    Run(folder("Halving")).update_results(status="running")  # as if killed just after
    done = f"is complete: 2 epochs (the last {left}); --trainer.max_steps 13 is reached.\n"
    assert done in fitted(run_cli(*fit, "--trainer.max_steps", "13"))
    assert results(folder("Halving"))["ended_by"] == "max_steps"
    refused = run_cli(*fit, "--trainer.max_steps", "18")
    assert refused[0] == 2
    assert f"--trainer.max_epochs 2 is reached (the last epoch was {left}); raise" in refused[2]
    more = ("--trainer.max_steps", "30", "--trainer.max_epochs", "3")
    assert f"; resuming after epoch 1 ({left}) from" in fitted(run_cli(*fit, *more))
    assert "; resuming after epoch 2 from" in fitted(run_cli(*fit, *more[:-1], "4"))


def test_an_average_that_is_updated_after_the_last_save_is_saved(run_cli):
    late = {"update_every_n_steps": "0", "update_starting_at_epoch": "0"}  # once an epoch
    average = callback("EMAWeightAveraging", decay="0.5", **late)
    output = fitted(run_cli("fit", *average, "--trainer.max_steps", "13"))  # within the second
    assert "last.ckpt holds the weights that EMAWeightAveraging set at the end" in output


def test_weights_that_are_changed_after_an_average_is_made_are_saved(run_cli, monkeypatch):
    fit = ("fit", *recipe("Halving"), *callback("EMAWeightAveraging", decay="0.5"), "--name")
    output = fitted(run_cli(*fit, "halved"))
    assert "last.ckpt holds the weights that EMAWeightAveraging and Halving set" in output
    monkeypatch.setattr(recipes.Halving, "on_train_end", LightningModule.on_train_end)
    fitted(run_cli(*fit, "average"))
    lasts = (checkpoints.read(Run(folder(name)).last) for name in ("halved", "average"))
    halved, average = (one["state_dict"] for one in lasts)
    average["net.1.weight"] = average["net.1.weight"] / 2
    assert halved.keys() == average.keys()
    assert all(torch.equal(halved[name], weight) for name, weight in average.items())


@pytest.mark.parametrize("name", ["_buffer", "one"])
def test_a_buffer_that_is_added_at_the_end_is_no_obstacle_to_an_average(run_cli, monkeypatch, name):
    def end(module):
        module.net[1].weight.data.mul_(0.5)
        module.register_buffer(name, torch.ones(1), persistent=name == "one")

    monkeypatch.setattr(recipes.Halving, "on_train_end", end)
    average = callback("EMAWeightAveraging", decay="0.5")
    output = fitted(run_cli("fit", *recipe("Halving"), *average))
    assert "last.ckpt holds the weights that EMAWeightAveraging and Halving set" in output


def test_an_epoch_that_a_callback_has_added_is_told(run_cli):
    averaged = callback("StochasticWeightAveraging", swa_lrs="0.01")  # with batch norm
    command = ("fit", *recipe("Fixed"), *averaged, "--trainer.max_epochs")
    fitted(run_cli(*command, "2"))
    for limit in "23":
        output = fitted(run_cli(*command, limit))
        why = f"--trainer.max_epochs {limit} is reached: 2, and 1 that a callback has added."
        assert f"is complete: 3 epochs; {why}\n" in output
        assert "To train on, raise that limit above 3; " in output
    fitted(run_cli(*command, "4"))
    assert results(folder("Fixed"))["epochs"] == 5
