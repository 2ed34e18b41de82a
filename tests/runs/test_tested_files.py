"""What is told of a run's test in lists and comparisons, without loading weights."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from lit_mnist.main import main
from lit_mnist.runs import best_score, tested_files
from lit_mnist.runs.folder import Run

FOLDER = Path("tb_logs/dense/seed_42")
SECOND = Path("tb_logs/dense/seed_43")
COMMITTEE = Path("tb_logs/dense/committee_3")


def results(folder=FOLDER):
    return json.loads((folder / "results.json").read_text())


def edit(folder, **news):
    (folder / "results.json").write_text(json.dumps(results(folder) | news))


def replace_weights(path):
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["net.1.bias"] += 1
    torch.save(checkpoint, path)


@pytest.fixture
def listed(trained, capsys):
    """Lists a run."""

    def call(name="dense/seed_42"):
        capsys.readouterr()
        assert main(["runs", "--json"]) == 0
        return {row["run"]: row for row in json.loads(capsys.readouterr().out)}[name]

    return call


def test_a_changed_member_is_seen_although_results_json_was_written_since(trained):
    assert tested_files.why_outdated(COMMITTEE, results(COMMITTEE)) == ""
    replace_weights(FOLDER / "checkpoints" / "best.ckpt")
    Run(COMMITTEE).update_results(out_of_fold={})  # as a validation does
    assert tested_files.why_outdated(COMMITTEE, results(COMMITTEE)) == tested_files.CHANGED


def test_a_test_without_its_predictions_is_not_shown(listed):
    (FOLDER / "predictions.csv").unlink()
    Run(FOLDER).update_results()
    row = listed()
    assert row["test_acc"] is row["test_acc_ci95"] is None
    assert row["problem"] == "its predictions.csv is gone; test it again"


def test_a_test_with_other_predictions_is_not_shown(listed):
    assert listed()["test_acc"] == results()["test_acc"]
    table, later = FOLDER / "predictions.csv", Run(FOLDER).results_json.stat().st_mtime_ns
    for text in ((SECOND / "predictions.csv").read_text(), table.read_text()[:-20]):
        table.write_text(text)
        os.utime(table, ns=(later - 10**9,) * 2)  # as a copy that keeps its time
        row = listed()
        assert row["test_acc"] is row["test_acc_ci95"] is None
        assert row["problem"] == "its predictions.csv is not that of its test; test it again"


def test_a_test_of_another_run_s_weights_is_told(trained, capsys):
    other = "../seed_43/checkpoints/best.ckpt"
    same = {key: results(SECOND)[key] for key in ("test_weights_sha256", tested_files.KEY)}
    edit(FOLDER, test_checkpoints=[other], **same)
    assert main(["compare", str(FOLDER), str(SECOND)]) == 0
    output = capsys.readouterr().out
    assert f"{FOLDER} (weights of {other}): accuracy" in output
    assert "left out" not in output
    assert main(["runs"]) == 0
    assert f"its test is of {other}" in capsys.readouterr().out
    assert main(["report", str(FOLDER)]) == 0
    assert f'data-figure="weights tested">{other}<' in (FOLDER / "report.html").read_text()


@pytest.mark.parametrize("name", ["last.ckpt", "mine.ckpt"])
def test_a_test_beside_the_score_of_other_weights_is_told(call, listed, capsys, name):
    path = FOLDER / "checkpoints" / name
    replace_weights(shutil.copy(FOLDER / "checkpoints" / "best.ckpt", path))
    assert call("test", "--ckpt_path", str(path))[0] == 0
    row = listed()
    assert row["test_acc"] == results()["test_acc"]
    assert row["problem"] == f"its test is of checkpoints/{name}"
    assert main(["report", str(FOLDER)]) == 0
    page = (FOLDER / "report.html").read_text()
    assert f'data-figure="weights tested">checkpoints/{name}<' in page
    capsys.readouterr()
    shutil.copytree("tb_logs/dense", "tb_logs/again")
    assert main(["compare", "tb_logs/dense", "tb_logs/again"]) == 0
    output = capsys.readouterr().out
    assert f"{FOLDER} (weights of checkpoints/{name}): accuracy" in output
    assert f"{FOLDER} (weights of checkpoints/{name}): left out of the means" in output
    assert "tb_logs/dense: mean accuracy" in output
    assert "of 2 seeds" in output


def test_the_weights_of_the_best_in_another_file_are_the_best(call, listed, capsys):
    best, last = (FOLDER / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    checkpoint = torch.load(best, weights_only=True)
    torch.save(checkpoint | {"epoch": 9}, last)
    before = results()
    assert call("test", "--ckpt_path", "last")[0] == 0
    assert results()["test_reads"] == before["test_reads"] + 1
    assert results()["test_acc"] == before["test_acc"]
    assert listed()["problem"] == ""
    shutil.copytree("tb_logs/dense", "tb_logs/again")
    assert main(["compare", "tb_logs/dense", "tb_logs/again"]) == 0
    output = capsys.readouterr().out
    assert "weights of" not in output
    assert output.count("of 3 seeds") == 2
    replace_weights(last)  # which a longer training may write
    assert listed()["problem"] == ""
    replace_weights(best)
    assert listed()["problem"] == f"{tested_files.CHANGED}; test it again, {best_score.REPLACED}"


def test_a_damaged_best_is_not_asked(call, listed):
    best, last = (FOLDER / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    shutil.copy(best, last)
    best.write_bytes(b"PK")
    assert call("test", "--ckpt_path", "last")[0] == 0
    assert results()["test_checkpoints"] == ["checkpoints/last.ckpt"]
    assert "its test is of checkpoints/last.ckpt" in listed()["problem"]


def test_the_best_by_another_name_of_its_folder_is_the_best(call, listed, here):
    (here / "link").symlink_to(FOLDER)
    assert call("test", "--ckpt_path", "link/checkpoints/best.ckpt")[0] == 0
    assert listed()["problem"] == ""


def test_a_run_without_a_best_is_tested_with_its_last(call, listed):
    (FOLDER / "checkpoints" / "best.ckpt").unlink()
    known = {key: value for key, value in results().items() if not key.startswith("best_")}
    (FOLDER / "results.json").write_text(json.dumps(known))
    assert call("test")[0] == 0
    assert results()["test_checkpoints"] == ["checkpoints/last.ckpt"]
    assert listed()["problem"] == ""


def test_a_folder_that_holds_only_a_test_is_no_interrupted_run(call, listed, capsys):
    path = FOLDER / "checkpoints" / "best.ckpt"
    assert call("test", "--name", "other", "--ckpt_path", str(path))[0] == 0
    row, other = listed("other/seed_42"), "../../dense/seed_42/checkpoints/best.ckpt"
    assert (row["state"], row["test_acc"]) == ("only tested", results()["test_acc"])
    assert row["problem"] == f"its test is of {other}"
    assert main(["compare", "tb_logs/other/seed_42", str(SECOND)]) == 0
    assert f"tb_logs/other/seed_42 (weights of {other}): accuracy" in capsys.readouterr().out
