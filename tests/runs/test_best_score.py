"""The score of best.ckpt is of the file that is there, and never of another."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

from lit_mnist.main import main
from lit_mnist.runs import best_score
from lit_mnist.runs.folder import Run
from lit_mnist.runs.tested import Weights

FOLDER, OTHER = Path("tb_logs/dense/seed_42"), Path("tb_logs/dense/seed_43")


def results(folder=FOLDER):
    return json.loads((folder / "results.json").read_text())


def listed(capsys):
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    return {row["run"]: row for row in json.loads(capsys.readouterr().out)}["dense/seed_42"]


def measured(folder):
    """The highest validation accuracy in a run's own table."""
    with (folder / "metrics.csv").open(newline="") as file:
        return max(float(row["val_acc"]) for row in csv.DictReader(file))


@pytest.fixture
def exchanged(call):
    """Puts another run's best in the place of a run's own; runs commands on that run."""
    assert measured(FOLDER) != measured(OTHER)
    shutil.copy(OTHER / "checkpoints" / "best.ckpt", FOLDER / "checkpoints" / "best.ckpt")
    return call


@pytest.mark.parametrize(
    ("best", "scores", "told"),
    [
        ((0, 0.5), ("0.5", "0.7", "", "0.6"), "scored up to 0.7000, but their weights changed"),
        ((1, 0.7), ("0.5", "0.7", "0.7", "0.6"), ""),
        ((1, 0.6), ("0.8", "0.6", "0.5"), ""),  # the first of other images
        ((0, 0.5), ("0.4", "0.7"), ""),  # the file is another run's
        ((0, 0.5), ("0.5", "damaged"), ""),
        ((None, None), ("0.5", "0.7"), ""),
    ],
)
def test_better_scores_that_were_not_saved_are_told(tmp_path, best, scores, told):
    run, (epoch, score) = Run(tmp_path), best
    run.update_results(**({} if epoch is None else {"best_epoch": epoch, "best_val_acc": score}))
    rows = "".join(f"{number},{text}\n" for number, text in enumerate(scores))
    run.file("metrics.csv").write_text(f"epoch,val_acc\n{rows}")
    found = best_score.unsaved(run)
    assert told in found
    assert bool(found) == bool(told)


def test_fit_notes_the_file_of_its_score(trained, capsys):
    assert listed(capsys)["best_val_acc"] == measured(FOLDER)
    (FOLDER / "checkpoints" / "best.ckpt").touch()
    assert best_score.why_replaced(FOLDER, results()) == ""
    shutil.copytree(FOLDER, "tb_logs/dense/seed_50")
    assert best_score.why_replaced(Path("tb_logs/dense/seed_50"), results()) == ""


def test_the_score_of_a_file_that_is_gone_is_not_shown(exchanged, capsys):
    row = listed(capsys)
    assert row["best_val_acc"] is None
    assert best_score.REPLACED in row["problem"]
    assert main(["report", str(FOLDER)]) == 0
    page = (FOLDER / "report.html").read_text()
    assert "best validation accuracy" not in page
    assert best_score.REPLACED in page


def test_a_test_of_the_file_takes_over_its_score(exchanged, capsys):
    assert exchanged("test")[0] == 0
    assert results()["best_val_acc"] == measured(OTHER)
    assert results()["best_epoch"] == results(OTHER)["best_epoch"]
    assert listed(capsys)["best_val_acc"] == measured(OTHER)
    before = results()
    assert exchanged("test")[0] == 0
    assert results()["best_file_sha256"] == before["best_file_sha256"]


def test_a_test_notes_another_file_of_the_same_score(call):
    before, best = results(), FOLDER / "checkpoints" / "best.ckpt"
    torch.save(torch.load(best) | {"note": "of my own"}, best)
    assert best_score.why_replaced(FOLDER, before) == best_score.REPLACED
    assert call("test")[0] == 0
    best.touch()
    assert best_score.why_replaced(FOLDER, results()) == ""
    assert results()["best_val_acc"] == before["best_val_acc"]


def test_a_test_of_another_file_leaves_the_score(call):
    before = results()["best_val_acc"]
    assert call("test", "--ckpt_path", "last")[0] == 0
    assert results()["best_val_acc"] == before


def test_a_file_without_a_score_has_none(trained):
    best = FOLDER / "checkpoints" / "best.ckpt"
    weights = Weights.of(best, torch.load(best))
    best_score.refresh(Run(FOLDER), str(best), weights._replace(scores={}))
    assert not any(key.startswith("best_") for key in results())
    assert results()["status"] == "complete"


def test_a_file_that_fit_replaces_meanwhile_has_the_score_of_fit(trained):
    run, before = Run(FOLDER), results()
    weights = Weights.of(run.best, torch.load(run.best))
    shutil.copy(OTHER / "checkpoints" / "best.ckpt", run.best)
    best_score.write(run, {"epoch": 7, "val_acc": 0.75})
    best_score.refresh(run, str(run.best), weights)
    best = {"best_epoch": 7, "best_val_acc": 0.75}
    assert results() == best_score.without(before) | best


def test_a_model_card_has_the_score_of_the_exported_weights(exchanged):
    assert main(["export", str(FOLDER), "--format", "safetensors"]) == 0
    card = (FOLDER / "MODEL_CARD.md").read_text()
    assert f"validation, which chose the epoch | 100 | {measured(OTHER):.4f}" in card


def test_an_edited_file_has_no_score_of_the_weights_before(call, capsys):
    """As one that was pruned by hand; the test of it is its own."""
    best = FOLDER / "checkpoints" / "best.ckpt"
    content = torch.load(best)
    next(iter(content["state_dict"].values())).mul_(0.5)
    torch.save(content, best)
    assert call("test")[0] == 0
    assert not any(key.startswith("best_") for key in results())
    assert listed(capsys)["best_val_acc"] is None
    assert main(["export", str(FOLDER), "--format", "safetensors"]) == 0
    assert "validation, which chose" not in (FOLDER / "MODEL_CARD.md").read_text()


def test_a_test_of_another_checkpoint_does_not_vouch_for_a_replaced_file(exchanged, capsys):
    """It writes results.json, which is newer than the file from then on."""
    assert exchanged("test", "--ckpt_path", "last")[0] == 0
    row = listed(capsys)
    assert row["best_val_acc"] is None
    assert best_score.REPLACED in row["problem"]
