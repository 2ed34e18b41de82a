"""A checkpoint that is named is used or refused."""

import re
import shlex
import shutil

import pytest
import torch

from lit_mnist.main import main
from tests import kept
from tests.stopping import RUN, STOP_AT, assert_same_end, folder, results, rows, stopped
from tests.trained import contents


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


def test_a_checkpoint_that_an_evaluation_cannot_load_is_no_matter_of_resuming(run_cli, fitted):
    checkpoint = torch.load(RUN / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save(checkpoint | {"pytorch-lightning_version": "1.0.0"}, "older.ckpt")  # it is not
    for command in ("validate", "test"):
        status, _, problems = run_cli(command, "--ckpt_path", "older.ckpt")
        assert status == 2
        assert "error: the checkpoint cannot be loaded (KeyError: " in problems
        assert problems.endswith("; name another: --ckpt_path, or train again\n")
