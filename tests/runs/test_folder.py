"""A run's folder: its results, its history, and that one process trains it."""

import subprocess
import sys

import pytest

from lit_mnist.errors import UserError
from lit_mnist.runs.folder import Run


def test_results_keep_what_is_not_set_anew(tmp_path):
    run = Run(tmp_path)
    run.update_results(a=1, b=2)
    run.update_results(b=3)
    assert run.results() == {"a": 1, "b": 3}


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"epoch,lr\n1,x\n", b"epoch\n1,2\n"])
def test_a_damaged_history_is_named(tmp_path, damage):
    run = Run(tmp_path)
    run.file("metrics.csv").write_bytes(damage)
    with pytest.raises(UserError, match=r"metrics\.csv: damaged"):
        run.history()


def test_a_run_is_held_by_one_process_at_a_time(tmp_path):
    run = Run(tmp_path / "tb_logs" / "name" / "seed_1")
    with run.lock():
        # another handle on the file, as another process has
        with pytest.raises(UserError, match="another process is training this run"), run.lock():
            pass
        (run.folder / "metrics.csv").touch()
    with run.lock():
        pass
    assert [path.name for path in run.folder.iterdir()] == ["metrics.csv"]


def test_half_files_of_a_killed_process_go_when_the_run_goes_on(tmp_path):
    """SIGKILL in the middle of a save leaves the temporary file, which nobody would look for."""
    run = Run(tmp_path)
    killed = (
        "import os, sys, pathlib; from lit_mnist.files import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as path: path.touch(); os._exit(9)"
    )
    for path in (run.last, run.file("results.json")):
        subprocess.run([sys.executable, "-c", killed, path], check=False)
    mine = run.file(".notes.tmp")
    mine.touch()
    assert len(list(tmp_path.rglob(".*.tmp"))) == 3
    with run.lock():
        assert list(tmp_path.rglob(".*.tmp")) == [mine]


def test_a_run_that_never_began_leaves_no_folder(tmp_path):
    (tmp_path / "tb_logs").mkdir()
    with pytest.raises(ZeroDivisionError), Run(tmp_path / "tb_logs" / "a" / "seed_1").lock():
        raise ZeroDivisionError
    assert not list((tmp_path / "tb_logs").iterdir())


@pytest.mark.parametrize("text", ['{"seconds": "x"}', '{"best_epoch": "z"}', '{"test_acc": [1]}'])
def test_results_whose_figures_are_none_are_damaged(tmp_path, text):
    run = Run(tmp_path)
    run.file("results.json").write_text(text)
    with pytest.raises(UserError, match=r"results\.json: damaged"):
        run.results()
