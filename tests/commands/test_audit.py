"""The command `audit`: labels that out-of-fold predictions contradict, if these are of now."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from lit_mnist.main import main

COMMITTEE = Path("tb_logs/dense/committee_3_folds_3")


def member(number):
    return Path(f"tb_logs/dense/seed_{42 + number}_fold_{number}_of_3")


@pytest.fixture
def copied(folds, here, no_pictures):
    """A working folder that holds a copy of the committee of folds."""
    shutil.copytree(folds / "tb_logs", "tb_logs")
    return here


def retrain(folder=Path()):
    """Gives the first member other weights, as if training had continued."""
    paths = [folder / member(number) / "checkpoints" / "best.ckpt" for number in (1, 0)]
    shutil.copy(*paths)


def test_labels_in_doubt_are_named_and_the_data_left_alone(copied, capsys):
    before = (COMMITTEE / "out_of_fold.csv").read_bytes()
    assert main(["audit", str(COMMITTEE), "--output", "found"]) == 0
    with Path("found/audit.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (COMMITTEE / "out_of_fold.csv").open(newline="") as file:
        table = np.array(list(csv.reader(file))[1:], float)
    for row in rows:
        index, label, predicted = (int(row[key]) for key in ("index", "label", "prediction"))
        assert label == table[index, 1] != predicted
        assert float(row["probability"]) == pytest.approx(table[index, 3 + predicted])
    output, problems = capsys.readouterr()
    assert f"{len(rows)} of 600 labels are contradicted" in output
    assert problems == ""
    assert Path("found/audit.png").stat().st_size > 1000
    assert (COMMITTEE / "out_of_fold.csv").read_bytes() == before


def test_a_table_that_was_annotated_is_kept(copied, capsys):
    assert main(["audit", str(COMMITTEE), "--output", "found"]) == 0
    annotated = Path("found/audit.csv").read_text().replace("\n", ",my verdict\n", 1)
    Path("found/audit.csv").write_text(annotated)
    assert main(["audit", str(COMMITTEE), "--output", "found"]) == 2
    assert "found/audit.csv: would be replaced, but" in capsys.readouterr().err
    assert Path("found/audit.csv").read_text() == annotated


def test_data_that_are_not_there_are_asked_for_by_this_command_s_option(copied, capsys):
    assert main(["audit", str(COMMITTEE), "--data_dir", "elsewhere"]) == 2
    assert capsys.readouterr().err.endswith("or name another folder with --data_dir\n")


def test_predictions_of_unknown_weights_are_refused(copied, capsys):
    assert main(["audit", str(member(0))]) == 2
    assert "committee --folds K writes it" in capsys.readouterr().err
    (COMMITTEE / "results.json").unlink()
    assert main(["audit", str(COMMITTEE)]) == 2
    assert "does not record the weights of out_of_fold.csv" in capsys.readouterr().err


def test_a_table_of_another_average_is_known_by_it(copied, members, in_process):
    again = ("--folds", "3", "--skip_test", "--average", "logits")
    assert main(["committee", *members, *again]) == 0
    assert main(["audit", str(COMMITTEE)]) == 0


@pytest.mark.parametrize("way", ["here", "from elsewhere", "moved"])
def test_a_member_that_was_trained_on_is_noticed(copied, monkeypatch, capsys, way):
    (copied / "other").mkdir()
    if way == "moved":
        shutil.move("tb_logs", "other/tb_logs")
        folder = Path("other")
    elif way == "here":
        folder = Path()
    else:
        monkeypatch.chdir("other")
        folder = Path("..")
    assert main(["audit", str(folder / COMMITTEE), "--output", "first"]) == 0
    assert capsys.readouterr().err == ""
    retrain(folder)
    assert main(["audit", str(folder / COMMITTEE), "--output", "second"]) == 2
    assert "was made with other weights than the members have now" in capsys.readouterr().err
    assert not os.path.exists("second")


def test_members_that_are_gone_are_told_of(copied, capsys):
    shutil.rmtree(member(0))
    assert main(["audit", str(COMMITTEE)]) == 0
    output, problems = capsys.readouterr()
    assert "labels are contradicted" in output
    assert "its members are not where they were" in problems
    assert problems.count("\n") == 1
