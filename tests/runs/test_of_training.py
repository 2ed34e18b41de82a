"""Checkpoints that were copied are told from those of the runs in whose folders they lie."""

import csv
import json
import shutil
from pathlib import Path

import matplotlib.figure
import pytest

from lit_mnist.main import main
from lit_mnist.reports import page_facts, plots
from lit_mnist.runs import checkpoints, of_training
from lit_mnist.runs.folder import Run
from tests.conftest import CONFIGS

FIRST, SECOND, THIRD = (Path(f"tb_logs/dense/seed_{seed}") for seed in (42, 43, 44))
MINE = Path("tb_logs/mine/committee_2")
OTHER_TABLES = {
    "no table": None,
    "another program's": "step,loss\n0,1.5\n",
    "another run's": "epoch,train_loss,train_acc,val_loss,val_acc,lr,seconds\n0,9,0.1,9,0.1,1,1\n",
}


def best(folder):
    return folder / "checkpoints" / "best.ckpt"


def accuracies(folder):
    """The column val_acc of a run's own table."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row["val_acc"]) for row in csv.DictReader(file)]


def told(path):
    rows = of_training.history(path, checkpoints.read(path))
    return [row["val_acc"] for row in rows]


@pytest.fixture
def committee(members, no_pictures, monkeypatch):
    """Tests a committee of two files; gives the accuracies whose curves were drawn, by name."""
    drawn = {}

    def curves(histories, accuracy):
        drawn.update({k: [row["val_acc"] for row in rows] for k, rows in histories.items()})
        return matplotlib.figure.Figure()

    monkeypatch.setattr(plots, "curves", curves)

    def call(*paths):
        drawn.clear()
        named = ["--model.checkpoints", json.dumps(list(map(str, paths))), "--name", "mine"]
        assert main(["test", "--config", f"{CONFIGS}/ensemble.yaml", *members[4:], *named]) == 0
        return drawn

    return call


def copies(table):
    """Two runs' best in a folder two levels below which something else may lie."""
    for folder in (FIRST, SECOND):
        target = Path("copies/all") / f"{folder.name}.ckpt"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(best(folder), target)
    if table is not None:
        Path("copies/metrics.csv").write_text(table)
    return [Path(f"copies/all/{folder.name}.ckpt") for folder in (FIRST, SECOND)]


def test_a_run_s_checkpoints_have_all_of_its_rows(trained):
    for path in (best(FIRST), FIRST / "checkpoints" / "last.ckpt"):
        assert of_training.run_of(path, checkpoints.read(path)) == Run(FIRST)
        assert told(path) == accuracies(FIRST)
    Path("link.ckpt").symlink_to(best(FIRST))
    assert told(Path("link.ckpt")) == accuracies(FIRST)


@pytest.mark.parametrize("table", OTHER_TABLES.values(), ids=OTHER_TABLES)
def test_a_copy_has_the_rows_that_it_holds(trained, table):
    for path, folder in zip(copies(table), (FIRST, SECOND), strict=True):
        assert of_training.run_of(path, checkpoints.read(path)) is None
        rows = accuracies(folder)
        assert told(path) == rows[: rows.index(max(rows)) + 1]


def test_a_file_of_another_run_in_a_run_s_folder_is_not_of_it(trained):
    path = shutil.copy(best(SECOND), FIRST / "checkpoints" / "extra.ckpt")
    assert of_training.run_of(path, checkpoints.read(path)) is None
    assert told(path) == accuracies(SECOND)[: len(told(path))]


def test_a_committee_of_copies_has_their_own_curves(trained, committee):
    """Another program's table made the test fail at its very end, with nothing recorded."""
    paths = copies(OTHER_TABLES["another program's"])
    drawn = committee(*paths)
    assert drawn == {str(path): told(path) for path in paths}
    facts = page_facts.read(MINE)
    shown = {name: [row["val_acc"] for row in rows] for name, rows in facts.histories.items()}
    assert shown == drawn
    Path("copies/results.json").write_text("[1, 2]")
    assert main(["export", str(MINE), "--format", "safetensors"]) == 0
    assert "| seeds | ?, ? |" in (MINE / "MODEL_CARD.md").read_text()


def test_a_member_that_is_not_its_run_s_best_is_named_by_its_file(trained, committee):
    other = shutil.copy(best(THIRD), FIRST / "checkpoints" / "extra.ckpt")
    last = SECOND / "checkpoints" / "last.ckpt"
    drawn = committee(other, last)
    names = ["dense/seed_42/extra.ckpt", "dense/seed_43/last.ckpt"]
    recorded = json.loads((MINE / "results.json").read_text())
    assert [member["run"] for member in recorded["members"]] == names
    assert drawn == {names[0]: told(other), names[1]: accuracies(SECOND)}
    assert f"| {names[0]} |" in (MINE / "report.md").read_text()
