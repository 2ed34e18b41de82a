"""Runs stopped in every way resume without loss: the commands, on a small dataset.

An epoch has 9 batches: 8 of 60 images, and one of 20.
"""

import json
from pathlib import Path

import pytest
import torch

from lit_mnist.runs.folder import Run
from tests import kept
from tests.stopping import (
    RATE,
    RUN,
    STOP_AT,
    assert_same_end,
    checkpoint,
    end_state,
    folder,
    no_nan,
    results,
    rows,
)
from tests.trained import contents

EARLY = (
    "--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "val_acc",
    "--trainer.callbacks.mode", "max", "--trainer.callbacks.patience",
)  # fmt: skip


@pytest.mark.parametrize("none", ["max_epochs", "max_steps", "limit_train_batches"])
def test_a_limit_of_zero_reports_nothing_to_train(run_cli, none):
    status, output, problems = run_cli("fit", f"--trainer.{none}", "0")
    assert (status, problems) == (0, "")
    assert output == f"--trainer.{none} 0: there is nothing to train; raise it\n"
    assert not Path("tb_logs").exists()


@pytest.mark.parametrize(("steps", "epochs"), [(5, "0 epochs"), (14, "1 epoch")])
def test_a_run_ended_by_max_steps_resumes_bit_identically(run_cli, shared, steps, epochs):
    limits = ("--trainer.max_epochs", "-1", "--trainer.max_steps")
    kept.fitted(shared, run_cli, "--name", "whole", *limits, "23", config="simple_plateau")
    parts = ("fit", "--name", "parts", *limits)
    status, output, _ = run_cli(*parts, str(steps), config="simple_plateau")
    assert status == 0
    place = folder("parts")
    no_nan(output, (place / "metrics.csv").read_text(), (place / "results.json").read_text())
    recorded = results(place)
    assert (recorded["status"], recorded["ended_by"]) == ("complete", "max_steps")
    assert (recorded["epochs"], recorded["steps"]) == (steps // 9, steps)
    assert checkpoint("last", place)["global_step"] == steps
    assert len(rows(place)) == steps // 9 + 1
    assert rows(place)[-1]["val_acc"] == ""
    _, output, _ = run_cli(*parts, str(steps), config="simple_plateau")
    assert f"is complete: {epochs}; --trainer.max_steps {steps} is reached" in output
    assert run_cli(*parts, "23", config="simple_plateau")[0] == 0
    assert_same_end(folder("whole"), place)


def test_a_run_without_validation_can_be_tested(run_cli):
    for name, options in (("steps", ("max_steps", "5")), ("none", ("limit_val_batches", "0"))):
        given = ("--name", name, f"--trainer.{options[0]}", options[1])
        status, output, _ = run_cli("fit", *given)
        assert status == 0
        assert "nothing was validated" in output
        status, text, problems = run_cli("test", *given)
        assert status == 0
        assert "best.ckpt: no such checkpoint, as no best was kept" in problems
        info = results(folder(name))
        assert info["test_checkpoints"] == ["checkpoints/last.ckpt"]
        assert "best_val_acc" not in info
        no_nan(output, text, problems, json.dumps(info), (folder(name) / "metrics.csv").read_text())


def test_a_best_checkpoint_that_is_gone_is_not_called_unkept(run_cli, shared):
    kept.fitted(shared, run_cli)
    (RUN / "checkpoints" / "best.ckpt").unlink()
    status, _, problems = run_cli("test")
    assert status == 0
    assert "best.ckpt: was deleted or moved; taking" in problems
    assert results()["test_checkpoints"] == ["checkpoints/last.ckpt"]


def test_a_run_ended_by_max_time_resumes_with_more_time(run_cli, monkeypatch):
    limits = ("fit", STOP_AT, "--trainer.max_epochs", "-1", "--trainer.max_time")
    monkeypatch.setenv("STOP_AT", "never, and slowly")
    assert run_cli(*limits, "00:00:00:01")[0] == 0
    monkeypatch.setenv("STOP_AT", "")
    recorded, step = results(), checkpoint("last")["global_step"]
    assert (recorded["status"], recorded["ended_by"]) == ("complete", "max_time")
    assert step == recorded["steps"] > 0
    before = contents()
    status, output, _ = run_cli(*limits, "00:00:00:01")
    assert status == 0
    assert "--trainer.max_time 0:00:01 is reached" in output
    more = ("fit", STOP_AT, "--trainer.max_time", "00:00:00:01", "--trainer.max_epochs", "9999")
    status, _, problems = run_cli(*more)
    assert status == 2
    assert "has no effect, as --trainer.max_time 0:00:01 is reached" in problems
    assert contents() == before
    epochs = recorded["epochs"] + 2
    longer = ("fit", STOP_AT, "--trainer.max_epochs", str(epochs))
    status, _, problems = run_cli(*longer, "--trainer.max_time", "00:01:00:00")
    assert (status, problems) == (0, "")
    run_cli(*longer, "--name", "whole")
    (tensors, _, step), (others, _, other) = end_state(RUN), end_state(folder("whole"))
    assert step == other == 9 * epochs
    assert all(torch.equal(tensors[key], others[key]) for key in tensors)
    assert (results()["status"], results()["ended_by"]) == ("complete", "max_epochs")


def test_a_run_ended_by_early_stopping_resumes_with_more_patience(run_cli):
    def fit(name, patience):
        limits = ("--trainer.max_epochs", "30", *EARLY, patience)
        return run_cli("fit", "--name", name, *RATE, *limits)

    assert fit("parts", "1")[0] == 0
    assert (results(folder("parts"))["status"], results(folder("parts"))["ended_by"]) == (
        "complete",
        "EarlyStopping",
    )
    assert "ended by EarlyStopping" in fit("parts", "1")[1]
    assert fit("parts", "2")[0] == 0
    fit("whole", "2")
    assert_same_end(folder("parts"), folder("whole"))
    assert len(rows(folder("whole"))) < 30


def test_early_stopping_in_the_first_epoch_is_named(run_cli):
    early = (*EARLY, "3", "--trainer.callbacks.stopping_threshold", "0", "--trainer.max_epochs")
    run_cli("fit", *early, "3")
    assert (results()["epochs"], results()["ended_by"]) == (1, "EarlyStopping")
    status, _, problems = run_cli("fit", *early, "5")
    assert status == 2
    assert problems == (
        "error: trainer.max_epochs: 3, now 5: has no effect, as EarlyStopping has ended the run by"
        " its stopping_threshold; choose another --name\n"
    )


def test_early_stopping_at_the_limit_itself_makes_raising_it_useless(run_cli):
    stop = ("--trainer.callbacks.min_delta", "1", "--trainer.max_epochs")  # after two epochs
    assert run_cli("fit", *EARLY, "1", *stop, "2")[0] == 0
    assert results()["ended_by"] == "EarlyStopping"
    status, _, problems = run_cli("fit", *EARLY, "1", *stop, "3")
    assert status == 2
    assert "has no effect, as EarlyStopping has ended the run" in problems
    assert run_cli("fit", *EARLY, "1", *stop, "3", "--trainer.min_epochs", "3")[0] == 0
    assert len(rows()) == 3


def test_an_error_and_an_exit_of_the_user_s_code_leave_a_run_that_resumes(
    run_cli, shared, monkeypatch
):
    kept.fitted(shared, run_cli)
    cut = ("fit", STOP_AT, "--name", "cut", "--every_n_train_steps", "3")
    for moment, kind, by in (
        ("exit at 5", SystemExit, "sys.exit"),
        ("error at 8", RuntimeError, "an error"),
    ):
        monkeypatch.setenv("STOP_AT", moment)
        with pytest.raises(kind) as raised:
            run_cli(*cut)
        assert getattr(raised.value, "code", 3) == 3
        recorded = results(folder("cut"))
        assert (recorded["status"], recorded["ended_by"]) == ("interrupted", by)
    monkeypatch.setenv("STOP_AT", "")
    assert run_cli(*cut)[0] == 0
    assert_same_end(RUN, folder("cut"))


def test_a_run_that_was_stopped_after_its_last_step_is_ended_by_its_limit(run_cli, shared):
    kept.fitted(shared, run_cli)
    before = results()
    Run(RUN).update_results(status="interrupted", ended_by="SIGTERM", steps=0)
    assert "resuming after epoch 1" in run_cli("fit")[1]  # which tells the loggers the last values
    assert results() | {"best_file_touched": 0} == before | {"best_file_touched": 0}  # a copy
    assert "is complete: 2 epochs" in run_cli("fit")[1]
