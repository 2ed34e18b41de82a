"""A run's folder: its results, its history, and its lock."""

import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

import lit_mnist
from lit_mnist.errors import UserError
from lit_mnist.runs import tested_files
from lit_mnist.runs.folder import Run


def test_updating_results_keeps_other_entries(tmp_path):
    run = Run(tmp_path)
    run.update_results(a=1, b=2)
    run.update_results(b=3)
    assert run.results() == {"a": 1, "b": 3}


@pytest.mark.parametrize("before", [{}, {"status": "running"}])
def test_two_that_change_results_at_once_keep_the_entries_of_each_other(tmp_path, before):
    """A thread locks the folder as another process does."""
    run = Run(tmp_path)
    run.update_results(**before)
    fit = Thread(target=run.update_results, kwargs={"status": "complete"})

    def add_test(results):
        fit.start()
        fit.join(0.2)  # time in which it would write
        return results | {"test_acc": 0.5}

    run.change_results(add_test)
    fit.join()
    assert run.results() == {"status": "complete", "test_acc": 0.5}
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_results_are_changed_where_folders_cannot_be_locked(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    run = Run(tmp_path / "new")
    run.update_results(status="running", test_acc=0.5)
    run.change_results(tested_files.without)
    assert run.results() == {"status": "running"}


def test_results_that_stay_are_not_written(tmp_path):
    run = Run(tmp_path)
    run.update_results(a=1)
    before = run.results_json.stat()
    run.change_results(tested_files.without)
    assert run.results_json.stat() == before


def test_results_are_written_in_one_place():
    """All else would lose what another process has written since it read them."""
    package = Path(lit_mnist.__file__).parent
    found = {
        path.relative_to(package).as_posix(): len(found)
        for path in package.rglob("*.py")
        if (found := re.findall(r"write\w*\(\s*\S*results_json", path.read_text("utf-8")))
    }
    assert found == {"runs/folder.py": 1}


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"epoch,lr\n1,x\n", b"epoch\n1,2\n", b"step\n1\n"])
def test_a_damaged_history_is_reported(tmp_path, damage):
    run = Run(tmp_path)
    run.file("metrics.csv").write_bytes(damage)
    with pytest.raises(UserError, match=r"metrics\.csv: damaged"):
        run.history()


def test_a_run_is_locked_by_one_process_at_a_time(tmp_path):
    run = Run(tmp_path / "tb_logs" / "name" / "seed_1")
    with run.lock():
        # another handle on the file, as another process has
        with pytest.raises(UserError, match="another process is training this run"), run.lock():
            pass
        (run.folder / "metrics.csv").touch()
    with run.lock():
        pass
    assert [path.name for path in run.folder.iterdir()] == ["metrics.csv"]


def test_partial_files_of_a_killed_process_are_removed_on_resume(tmp_path):
    """SIGKILL during a save leaves a temporary file behind."""
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


def test_a_run_that_fails_before_training_leaves_no_folder(tmp_path):
    (tmp_path / "tb_logs").mkdir()
    with pytest.raises(ZeroDivisionError), Run(tmp_path / "tb_logs" / "a" / "seed_1").lock():
        raise ZeroDivisionError
    assert not list((tmp_path / "tb_logs").iterdir())


@pytest.mark.parametrize("text", ['{"seconds": "x"}', '{"best_epoch": "z"}', '{"test_acc": [1]}'])
def test_results_without_numbers_count_as_damaged(tmp_path, text):
    run = Run(tmp_path)
    run.file("results.json").write_text(text)
    with pytest.raises(UserError, match=r"results\.json: damaged"):
        run.results()
