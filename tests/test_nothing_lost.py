"""What is replaced, moved or begun again loses nothing that a run had."""

import shutil
from pathlib import Path

import pytest

from tests import kept
from tests.stopping import (
    RATE,
    RUN,
    STOP_AT,
    assert_best_is_best,
    checkpoint,
    folder,
    results,
    rows,
    stopped,
)
from tests.trained import contents

THREE_EPOCHS = (*RATE, "--trainer.max_epochs", "3")


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
