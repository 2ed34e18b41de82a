"""Benchmarks that score trained systems: what they count, write and refuse."""

import csv
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.datasets import load_digits

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import read_idx
from lit_mnist.data.read import Split
from tests.conftest import SMALL

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


def refused(name, capsys, *options):
    """The last line of a script that refuses its options."""
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main(list(options))
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


# ---------------------------------------------------------------- audit


def test_the_given_number_of_labels_is_flipped_in_a_copy(small_data, tmp_path):
    audit, spec = importlib.import_module("audit"), DATASETS[SMALL]
    before = [read_idx(spec.folder(small_data) / name) for name in spec.files["train"]]
    chosen = audit.flipped(small_data, tmp_path, SMALL, 60)
    after = [read_idx(DATASETS[audit.AS].folder(tmp_path) / name) for name in spec.files["train"]]
    assert len(chosen) == 60
    assert set(np.flatnonzero(before[1] != after[1]).tolist()) == chosen
    assert (before[0] == after[0]).all()
    assert 0 <= after[1].min() <= after[1].max() <= 9


def test_precision_and_recall_are_counted_from_the_listed_images(tmp_path, monkeypatch):
    audit, measuring = map(importlib.import_module, ("audit", "measuring"))
    folder = tmp_path / "logs" / "fast" / "committee_2_folds_2"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text('{"out_of_fold": {"acc": 0.9}}')
    with (folder / "audit.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["index"], [3], [7], [100], [5], [101]])
    commands = []
    child = measuring.Child(2.0, 0.5, "")
    monkeypatch.setattr(measuring, "run_child", lambda command: commands.append(command) or child)
    monkeypatch.setattr(audit, "flipped", lambda *_: set(range(10)))
    monkeypatch.setattr(audit, "FIRST", 2)
    given = {"data_dir": tmp_path, "dataset": "MNIST", "flips": 10, "folds": 2, "epochs": None}
    found = audit.measure(SimpleNamespace(**given, accelerator="cpu"), tmp_path)
    assert (found["precision_first"], found["precision_named"], found["recall_named"]) == (
        1,
        3 / 5,
        3 / 10,
    )
    assert [command[2] for command in commands] == ["committee", "audit"]
    assert "--skip_test" in commands[0]
    text = audit.markdown(found)
    assert "| the first 2 | 100.0% |" in text
    assert "| all 5 that are named | 60.0% |" in text
    assert found["commit"] in text


def test_an_audit_without_data_reports_the_missing_file(tmp_path, capsys):
    problems = refused("audit", capsys, "--data-dir", str(tmp_path))
    assert f"{tmp_path}/MNIST/raw/train-images-idx3-ubyte is missing" in problems


# ---------------------------------------------------------------- fresh digits


def test_systems_are_ranked_by_accuracy_with_a_line_per_committee():
    fresh = importlib.import_module("fresh_digits")
    several = {"images": 1000, "errors": [30, 50], "committee_errors": 20}
    one = {"images": 1000, "errors": [10], "committee_errors": None}
    rows = [
        {"system": "a", "val_acc": [0.98, 0.96], "sets": {"x": several}},
        {"system": "b", "val_acc": [0.5], "sets": {"x": one}},
        {"system": "c", "val_acc": [0.5], "sets": {"y": one}},
    ]
    lines = fresh.table(rows, "x")
    assert [line.split(" | ")[0] for line in lines] == ["| b", "| committee of 2 a", "| a"]
    low, high = binomtest(960, 1000).proportion_ci(0.95, method="wilson")
    deviation = np.std([0.97, 0.95], ddof=1)
    interval = f"{low:.4f} to {high:.4f}"
    assert lines[2] == f"| a | 2 | 0.9700 | 0.9600 ± {deviation:.4f} | {interval} |"


def test_optical_digits_are_brought_to_mnists_form(monkeypatch):
    fresh, few = importlib.import_module("fresh_digits"), load_digits()
    part = SimpleNamespace(images=few.images[:20], target=few.target[:20])
    monkeypatch.setattr(fresh, "load_digits", lambda: part)
    images, labels = fresh.optical_digits()
    assert (images.shape, images.dtype) == ((20, 28, 28), np.uint8)
    assert labels.tolist() == few.target[:20].tolist()
    rows, columns = np.mgrid[:28, :28]
    for image in images.astype(float):  # by its centre of mass, within a box of 20 pixels
        centre = [(grid * image).sum() / image.sum() for grid in (rows, columns)]
        assert centre == pytest.approx([14, 14], abs=1)
        assert max(np.ptp(np.nonzero(image > 20), axis=1)) <= 21


def test_qmnist_is_scored_without_mnists_images(monkeypatch):
    fresh = importlib.import_module("fresh_digits")
    monkeypatch.setattr(fresh, "optical_digits", lambda: None)
    monkeypatch.setattr(fresh, "MNIST_TEST", 3)
    split = Split(*map(importlib.import_module("torch").arange, (5, 5)), "")
    monkeypatch.setattr(fresh.download, "load", lambda *_, **__: split)
    sets = fresh.digit_sets(SimpleNamespace(qmnist=Path(), mnist=None))
    assert [values.tolist() for values in sets["QMNIST's 50,000"]] == [[3, 4], [3, 4]]


def test_missing_systems_and_files_are_reported(three, tmp_path, capsys):
    problems = refused("fresh_digits", capsys, str(tmp_path))
    assert f"{tmp_path}: holds no trained run" in problems
    system = str(three / "tb_logs" / "dense")
    problems = refused("fresh_digits", capsys, system, "--mnist", str(tmp_path))
    assert f"{tmp_path}/MNIST/raw/t10k-images-idx3-ubyte is missing" in problems


# ---------------------------------------------------------------- cascade


def test_the_cascade_is_read_from_the_committee_s_results(three, tmp_path, monkeypatch, capsys):
    cascade, measuring = map(importlib.import_module, ("cascade", "measuring"))
    system, commands = three / "tb_logs" / "dense", []
    monkeypatch.setattr(measuring, "run_child", commands.append)
    known = json.loads((system / "committee_3" / "results.json").read_text())
    known["cascade"]["test_seconds"] = {"in_turn": 1.0, "all": 2.5}
    logs, output = tmp_path / "logs" / "dense" / "committee_3", tmp_path / "cascade.json"
    logs.mkdir(parents=True)
    (logs / "results.json").write_text(json.dumps(known))
    options = ("--log-dir", str(tmp_path / "logs"), "--output", str(output))
    assert cascade.main([str(system), *options]) == 0
    (command,) = commands
    assert command[:3] == [sys.executable, "cli.py", "test"]
    named = json.loads(command[command.index("--model.checkpoints") + 1])
    assert named == [str(system / f"seed_{k}/checkpoints/best.ckpt") for k in (42, 43, 44)]
    row = json.loads(output.read_text())["systems"]["dense"]
    assert row["cascade"] == known["cascade"]
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "3 dense" in one]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    val, test = (known["cascade"][split] for split in ("val", "test"))
    assert cells[1:5] == [
        *(f"{val['members_per_image']:.3f}", str(val["changed"])),
        *(f"{test['members_per_image']:.3f}", str(test["changed"])),
    ]
    assert cells[5:] == [f"{test['errors']}, {known['test_errors']}", "1.0, 2.5"]
    assert "holds no two trained runs" in refused("cascade", capsys, str(tmp_path))
