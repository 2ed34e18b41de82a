"""Runs stopped in every way resume without loss: the commands, on a small dataset.

An epoch has 9 batches: 8 of 60 images, and one of 20.
"""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

from lit_mnist.main import main
from lit_mnist.runs import entries
from lit_mnist.runs.folder import Run
from tests import kept
from tests.trained import contents

RUN = Path("tb_logs/dense/seed_42")
RATE = ("--model.lr", "0.02")  # at which some epochs are worse than the one before
THREE_EPOCHS = (*RATE, "--trainer.max_epochs", "3")
STOP_AT = "--trainer.callbacks+=tests.stop_at.StopAt"
EARLY = (
    "--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "val_acc",
    "--trainer.callbacks.mode", "max", "--trainer.callbacks.patience",
)  # fmt: skip


def folder(name):
    return Path("tb_logs", name, "seed_42")


def results(place=RUN):
    return json.loads((place / "results.json").read_text())


def rows(place=RUN):
    with (place / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def checkpoint(name, place=RUN):
    return torch.load(place / "checkpoints" / f"{name}.ckpt", weights_only=True)


def end_state(place):
    """The files that must be bit-identical after any interruption."""
    last = checkpoint("last", place)
    states = last["optimizer_states"][0]["state"]
    tensors = {f"{i}.{key}": value for i, state in states.items() for key, value in state.items()}
    seconds = {"seconds"}
    table = [{k: v for k, v in row.items() if k not in seconds} for row in rows(place)]
    return last["state_dict"] | tensors, table, last["global_step"]


def assert_same_end(first, second):
    (tensors, table, step), (others, other_table, other_step) = map(end_state, (first, second))
    assert step == other_step
    assert table == other_table
    assert tensors.keys() == others.keys()
    assert all(equal(tensors[key], others[key]) for key in tensors)


def equal(one, other):
    """A module may save more than tensors."""
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def assert_best_is_best(run_cli, place, *options):
    """The file holds the best epoch of all, and validates at the recorded score."""
    accuracies = [float(row["val_acc"]) for row in rows(place)]
    recorded = results(place)
    assert recorded["best_val_acc"] == max(accuracies)
    assert recorded["best_epoch"] == checkpoint("best", place)["epoch"]
    assert recorded["best_epoch"] == accuracies.index(max(accuracies))
    status, output, _ = run_cli("validate", *options)
    assert status == 0
    assert f"val_acc {max(accuracies):.4f}" in output


def stopped(run_cli, monkeypatch, moment, *args, **config):
    """Runs a command that Ctrl-C ends."""
    monkeypatch.setenv("STOP_AT", moment)
    with pytest.raises(SystemExit) as ended:
        run_cli(*args, **config)
    assert ended.value.code == 130
    monkeypatch.setenv("STOP_AT", "")


def no_nan(*texts):
    assert not re.search(r"\bnan\b", " ".join(texts), re.IGNORECASE)


# Nothing is lost


@pytest.mark.parametrize("start", ["best", "last", str(RUN / "checkpoints" / "last.ckpt")])
def test_fresh_can_start_from_the_run_s_own_checkpoint(run_cli, shared, start):
    kept.fitted(shared, run_cli, *THREE_EPOCHS)
    epochs = checkpoint(Path(start).stem)["epoch"] + 1
    more = ("--trainer.max_epochs", "5", "--fresh", "--ckpt_path", start)
    status, output, problems = run_cli("fit", *RATE, *more)
    assert (status, problems) == (0, "")
    assert f"resuming after epoch {epochs - 1}" in output
    assert len(rows()) == 5
    assert_best_is_best(run_cli, RUN, *RATE)


@pytest.mark.parametrize("damaged", ["best", "last"])
def test_fresh_with_an_unreadable_checkpoint_deletes_nothing(run_cli, shared, damaged):
    kept.fitted(shared, run_cli)
    path = RUN / "checkpoints" / f"{damaged}.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    before = contents()
    more = ("--trainer.max_epochs", "5", "--fresh", "--ckpt_path")
    for start in (damaged, str(path), "none.ckpt"):
        status, _, problems = run_cli("fit", *more, start)
        assert status == 2
        assert problems.count("\n") == 1
    assert contents() == before


def test_a_fresh_run_stopped_at_once_can_be_restarted(run_cli, monkeypatch):
    run_cli("fit", STOP_AT)
    again = ("fit", STOP_AT, "--trainer.max_epochs", "4", "--fresh", "--ckpt_path", "best")
    stopped(run_cli, monkeypatch, "1", *again)
    assert run_cli(*again)[0] == 0
    assert len(rows()) == 4


def test_the_best_checkpoint_survives_a_moved_folder(run_cli, shared):
    kept.fitted(shared, run_cli, *THREE_EPOCHS)
    Path("tb_logs").rename("moved")
    more = ("--log_dir", "moved", "--trainer.max_epochs", "6")
    assert run_cli("fit", *RATE, *more)[0] == 0
    assert_best_is_best(run_cli, Path("moved/dense/seed_42"), *RATE, *more)


def test_a_run_in_a_renamed_folder_resumes(run_cli, shared):
    kept.fitted(shared, run_cli, *THREE_EPOCHS)
    Path("tb_logs/dense").rename("tb_logs/renamed")
    more = ("--name", "renamed", "--trainer.max_epochs", "4")
    status, output, _ = run_cli("fit", *RATE, *more)
    assert (status, "resuming after epoch 2" in output) == (0, True)
    assert results(folder("renamed"))["name"] == "renamed"
    assert_best_is_best(run_cli, folder("renamed"), *RATE, *more)


@pytest.mark.parametrize("beside", [True, False], ids=["with its best", "alone"])
def test_the_best_checkpoint_is_kept_when_starting_from_another_run(run_cli, shared, beside):
    kept.fitted(shared, run_cli, *THREE_EPOCHS)
    start = RUN / "checkpoints" / "last.ckpt"
    if not beside:
        start = shutil.copy(start, "alone.ckpt")
    more = ("--name", "new", "--trainer.max_epochs", "6")
    assert run_cli("fit", *RATE, *more, "--ckpt_path", str(start))[0] == 0
    if beside:
        assert_best_is_best(run_cli, folder("new"), *RATE, *more)
    _, output, _ = run_cli("validate", *RATE, *more)
    assert f"val_acc {results(folder('new'))['best_val_acc']:.4f}" in output


# A named checkpoint is used or refused


def test_ckpt_path_for_an_existing_run_is_refused(run_cli, shared):
    kept.fitted(shared, run_cli)
    shutil.copytree(RUN, folder("other"))
    before = contents()
    other = str(folder("other") / "checkpoints" / "last.ckpt")
    for start, problem in (
        ("/no/such", "/no/such: no such checkpoint"),
        (other, "exists, and resumes from its own last.ckpt"),
        ("best", "exists, and resumes from its own last.ckpt"),
    ):
        status, _, problems = run_cli("fit", "--ckpt_path", start, "--trainer.max_epochs", "4")
        assert status == 2
        assert problem in problems
        assert problems.count("\n") == 1
    assert contents() == before
    assert run_cli("fit", "--ckpt_path", "last", "--trainer.max_epochs", "3")[0] == 0
    assert len(rows()) == 3


def test_the_same_command_resumes_a_run_started_from_a_checkpoint(run_cli, monkeypatch):
    run_cli("fit", STOP_AT, "--trainer.max_epochs", "1")
    start = str(RUN / "checkpoints" / "last.ckpt")
    again = ("fit", STOP_AT, "--name", "new", "--trainer.max_epochs", "4", "--ckpt_path", start)
    for moment in ("1", "12"):
        stopped(run_cli, monkeypatch, moment, *again)
    status, output, _ = run_cli(*again)
    assert status == 0
    assert "resuming after epoch 1" in output
    run_cli("fit", STOP_AT, "--trainer.max_epochs", "4")
    assert_same_end(folder("new"), RUN)


def test_a_finished_checkpoint_as_start_is_refused(run_cli, shared):
    kept.fitted(shared, run_cli)
    start = str(RUN / "checkpoints" / "last.ckpt")
    status, _, problems = run_cli("fit", "--name", "new", "--ckpt_path", start)
    assert status == 2
    assert "--trainer.max_epochs 2 is reached" in problems
    assert not folder("new").exists()


def test_the_printed_next_command_works(run_cli, capsys):
    run_cli("fit", "--trainer.max_epochs", "1")
    start = str(RUN / "checkpoints" / "last.ckpt")
    for option in (
        ("--ckpt_path", start),
        (f"--ckpt_path={start}", "--trainer.limit_test_batches=0"),
    ):
        _, output, _ = run_cli("fit", "--fresh", "--name", "new", *option)
        line = re.search(r"next: \S.*? (test .*)", output).group(1)
        assert main(shlex.split(line)) == 0
        capsys.readouterr()
        assert results(folder("new"))["test_checkpoints"] == ["checkpoints/best.ckpt"]


@pytest.mark.parametrize("name", ["best", "last"])
def test_fast_dev_run_refuses_ckpt_path(run_cli, shared, name):
    kept.fitted(shared, run_cli)
    status, _, problems = run_cli("fit", "--trainer.fast_dev_run", "1", "--ckpt_path", name)
    assert status == 2
    assert "--ckpt_path: has no effect with --trainer.fast_dev_run" in problems


# Runs stopped in every way resume


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
    assert "is complete: 2 epochs" in run_cli("fit")[1]
    assert results() == before


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
