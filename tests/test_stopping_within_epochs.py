"""Runs stopped within an epoch, or within an accumulated step, resume without loss.

An epoch has 9 batches: 8 of 60 images, and one of 20.
"""

import pytest

from lit_mnist.runs import entries
from tests import kept
from tests.stopping import RATE, RUN, STOP_AT, assert_same_end, checkpoint, folder, results, stopped
from tests.trained import contents


@pytest.mark.parametrize("moment", ["7", "13", "validation"])
def test_a_run_with_gradient_accumulation_resumes_bit_identically(
    run_cli, shared, monkeypatch, moment
):
    options = (
        STOP_AT, "--trainer.accumulate_grad_batches", "2", "--every_n_train_steps", "3",
        "--trainer.max_epochs", "3",
    )  # fmt: skip
    kept.fitted(shared, run_cli, "--name", "whole", *options, config="simple_plateau")
    stopped(run_cli, monkeypatch, moment, "fit", "--name", "cut", *options, config="simple_plateau")
    if moment != "7":  # then there is a checkpoint
        recorded = results(folder("cut"))
        assert (recorded["status"], recorded["ended_by"]) == ("interrupted", "SIGINT")
    assert run_cli("fit", "--name", "cut", *options, config="simple_plateau")[0] == 0
    assert_same_end(folder("whole"), folder("cut"))


def test_should_stop_ends_after_a_full_step_and_the_run_resumes(run_cli, monkeypatch):
    options = (STOP_AT, "--trainer.accumulate_grad_batches", "2", "--trainer.max_epochs")
    run_cli("fit", "--name", "whole", *options, "3")
    monkeypatch.setenv("STOP_AT", "told 5")
    assert run_cli("fit", "--name", "cut", *options, "2")[0] == 0
    recorded = results(folder("cut"))
    assert (recorded["status"], recorded["ended_by"]) == ("complete", "a callback")
    assert (recorded["epochs"], recorded["steps"]) == (0, 3)
    monkeypatch.setenv("STOP_AT", "")
    assert "ended by a callback" in run_cli("fit", "--name", "cut", *options, "2")[1]
    assert run_cli("fit", "--name", "cut", *options, "3")[0] == 0
    assert_same_end(folder("whole"), folder("cut"))


@pytest.mark.parametrize(
    ("name", "validation"),
    [("AsksToStop", "limit_val_batches=0"), ("AsksAfterValidation", "val_check_interval=5")],
)
def test_a_module_that_asks_to_stop_is_given_a_full_step(run_cli, name, validation):
    options = (
        "--model", f"tests.recipes.{name}", "--name", name, f"--trainer.{validation}",
        "--trainer.accumulate_grad_batches", "2",
    )  # fmt: skip
    assert run_cli("fit", *options)[0] == 0
    recorded, last = results(folder(name)), checkpoint("last", folder(name))
    assert (recorded["epochs"], recorded["steps"], recorded["ended_by"]) == (0, 3, "a callback")
    assert (last["global_step"], entries.LACKS in last) == (3, False)


def test_checkpoints_within_an_epoch_wait_for_the_optimizer_step(run_cli, monkeypatch):
    options = (
        STOP_AT, "--trainer.accumulate_grad_batches", "2", "--every_n_train_steps", "3"
    )  # fmt: skip
    stopped(run_cli, monkeypatch, "8", "fit", *options)
    saved = checkpoint("last")
    assert saved["global_step"] == 3
    assert saved["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["ready"] == 6


def test_a_checkpoint_between_accumulated_batches_is_not_resumed(run_cli):
    options = ("--trainer.accumulate_grad_batches", "2", "--trainer.val_check_interval", "5")
    run_cli("fit", *options, "--trainer.max_epochs", "1")  # validated at the fifth of 9 alone
    best = RUN / "checkpoints" / "best.ckpt"
    assert checkpoint("best")["global_step"] == 2
    (RUN / "checkpoints" / "last.ckpt").unlink()  # as if it had been killed within the epoch
    before = contents()
    for given in ((), ("--name", "new", "--ckpt_path", str(best))):
        status, _, problems = run_cli("fit", *options, *given)
        assert status == 2
        assert f"{best}: saved between the batches of an accumulated step" in problems
        assert problems.count("\n") == 1
    assert contents() == before


def test_a_run_stopped_before_its_first_exact_checkpoint_starts_again(run_cli, monkeypatch):
    options = (STOP_AT, "--trainer.accumulate_grad_batches", "4", "--trainer.val_check_interval")
    assert run_cli("fit", *options, "3", "--name", "whole")[0] == 0
    cut = ("fit", *options, "3", "--name", "cut")
    stopped(run_cli, monkeypatch, "5", *cut)
    assert checkpoint("best", folder("cut"))[entries.LACKS] == "gradients"
    assert not (folder("cut") / "checkpoints" / "last.ckpt").exists()
    old = set(folder("cut").glob("events*"))
    status, output, _ = run_cli(*cut)
    assert (status, "; starting again, as no epoch was finished" in output) == (0, True)
    assert_same_end(folder("whole"), folder("cut"))
    assert not old & set(folder("cut").glob("events*"))


@pytest.mark.parametrize("interval", ["4", "0.3", "5"])
def test_a_checkpoint_s_score_belongs_to_its_weights(run_cli, interval):
    options = (*RATE, "--trainer.val_check_interval", interval, "--trainer.max_epochs", "4")
    assert run_cli("fit", *options)[0] == 0
    _, output, _ = run_cli("validate", *options)
    assert f"val_acc {results()['best_val_acc']:.4f}" in output
    every = {"4": 4, "0.3": 2, "5": 5}[interval]
    assert checkpoint("best")["global_step"] % 9 % every == 0


@pytest.mark.parametrize("moment", ["7", "9", "13"])
def test_a_run_validating_within_epochs_resumes_bit_identically(
    run_cli, shared, monkeypatch, moment
):
    options = (
        STOP_AT, *RATE, "--trainer.val_check_interval", "4", "--every_n_train_steps", "2",
        "--trainer.max_epochs", "3",
    )  # fmt: skip
    kept.fitted(shared, run_cli, "--name", "whole", *options)
    stopped(run_cli, monkeypatch, moment, "fit", "--name", "cut", *options)
    assert run_cli("fit", "--name", "cut", *options)[0] == 0
    assert_same_end(folder("whole"), folder("cut"))
    whole, cut = (results(folder(name)) for name in ("whole", "cut"))
    for field in ("best_epoch", "best_val_acc", "best_val_loss"):
        assert whole[field] == cut[field]
