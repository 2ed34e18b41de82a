"""A committee's report, against its members' own predictions."""

import csv
import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, log_loss, zero_one_loss
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_mnist.main import main
from lit_mnist.reports.committee_table import markdown
from tests.conftest import CONFIGS, TEST

SEEDS = (42, 43, 44)


@pytest.fixture(scope="module")
def folder(three):
    return three / "tb_logs" / "dense" / "committee_3"


@pytest.fixture(scope="module")
def recorded(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def table(three):
    """Labels (N,) and the members' probabilities (M, N, 10), from their own tests."""
    tables = []
    for seed in SEEDS:
        with (three / f"tb_logs/dense/seed_{seed}/predictions.csv").open(newline="") as file:
            tables.append(np.array(list(csv.reader(file))[1:], float))
    return tables[0][:, 1].astype(int), np.array(tables)[:, :, 3:]


def errors(labels, probabilities):
    return zero_one_loss(labels, probabilities.argmax(1), normalize=False)


def rows_of(text, first):
    """The cells of the table whose header starts with `first`, without its header."""
    lines = text.partition(f"\n| {first}")[2].splitlines()[2:]
    end = lines.index("")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


def test_scores_of_committee_and_members_equal_sklearn_s(recorded, table):
    labels, members = table
    both = [(recorded, members.mean(0)), *zip(recorded["members"], members, strict=True)]
    for scores, probabilities in both:
        correct = TEST - errors(labels, probabilities)
        assert scores["test_acc"] == pytest.approx(
            accuracy_score(labels, probabilities.argmax(1)), abs=1e-12
        )
        assert scores["test_errors"] == TEST - correct
        assert scores["test_images"] == TEST
        loss = log_loss(labels, probabilities / probabilities.sum(1, keepdims=True))
        assert scores["test_loss"] == pytest.approx(loss, abs=1e-6)
        interval = binomtest(int(correct), TEST).proportion_ci(method="wilson")
        assert scores["test_acc_ci95"] == pytest.approx(list(interval), abs=1e-6)


def test_errors_by_size_cover_all_subsets(recorded, table):
    labels, members = table
    for size, row in enumerate(recorded["errors_by_size"], 1):
        counts = [errors(labels, members[list(c)].mean(0)) for c in combinations(range(3), size)]
        assert row["mean"] == pytest.approx(np.mean(counts), abs=1e-6)
        assert (row["fewest"], row["most"]) == (min(counts), max(counts))
    assert len(recorded["errors_by_size"]) == 3
    assert recorded["errors_by_size"][2]["mean"] == recorded["test_errors"]


def test_disagreement_counts_images(recorded, table):
    votes = table[1].argmax(2)
    apart = [len(set(column)) > 1 for column in votes.T]
    assert recorded["disagreement"]["any"] == pytest.approx(np.mean(apart))
    for i, j in np.ndindex(3, 3):
        share = zero_one_loss(votes[i], votes[j])
        assert recorded["disagreement"]["pairs"][i][j] == pytest.approx(share, abs=1e-6)


def test_member_facts_come_from_their_own_runs(recorded, three):
    for seed, member in zip(SEEDS, recorded["members"], strict=True):
        run = three / f"tb_logs/dense/seed_{seed}"
        own = json.loads((run / "results.json").read_text())
        assert member["run"] == f"dense/seed_{seed}"
        assert member["weights_sha256"] == own["test_weights_sha256"]
        best = [own[name] for name in ("best_epoch", "best_val_acc", "best_val_images")]
        assert [member["epoch"], member["val_acc"], member["val_images"]] == best
        for key in ("test_acc", "test_acc_ci95", "test_errors"):
            assert member[key] == own[key]
        for key in ("dataset", "data_sha256", "split_sha256"):
            assert recorded[key] == own[key]
    assert len({member["weights_sha256"] for member in recorded["members"]}) == 3
    assert "none by its scores" in recorded["choice"]
    assert recorded["test_reads"] == 1


def test_the_report_agrees_with_results_json(folder, recorded):
    text = (folder / "report.md").read_text()
    *members, mean, committee = rows_of(text, "| val acc")
    for scores, row in zip([*recorded["members"], recorded], [*members, committee], strict=True):
        correct = scores["test_images"] - scores["test_errors"]
        low, high = binomtest(correct, scores["test_images"]).proportion_ci(method="wilson")
        assert row[2:] == [
            f"{scores['test_acc']:.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{scores['test_loss']:.4f}",
            str(scores["test_errors"]),
        ]
    assert [row[:2] for row in members] == [
        [member["run"], f"{member['val_acc']:.4f}"] for member in recorded["members"]
    ]
    assert committee[0] == "**committee of 3**"
    for cell, key, digits in ((2, "test_acc", 4), (4, "test_loss", 4), (5, "test_errors", 1)):
        values = [member[key] for member in recorded["members"]]
        spread = f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"
        assert mean[cell] == spread
    sizes = rows_of(text, "members | mean errors")
    assert [int(row[0]) for row in sizes] == [1, 2, 3]
    assert [row[1:] for row in sizes] == [
        [f"{row['mean']:.1f}", str(row["fewest"]), str(row["most"])]
        for row in recorded["errors_by_size"]
    ]
    pairs = [recorded["disagreement"]["pairs"][i][j] for i, j in combinations(range(3), 2)]
    assert f"Not all members agree on {recorded['disagreement']['any']:.2%} of the images" in text
    assert f"{min(pairs):.2%} to {max(pairs):.2%}" in text
    assert "read 1 time(s)" in text
    for name in ("errors_by_size", "misclassified", "confusion"):
        assert f"({name}.png)" in text


@pytest.mark.pictures
def test_pictures_are_in_the_folder_and_in_tensorboard(trained, members):
    folder = Path("tb_logs/dense/committee_3")
    shutil.rmtree(folder)
    assert main(["committee", *members, "--members", "3"]) == 0  # which tests it alone
    names = {"curves", "misclassified", "confusion", "errors_by_size"}
    for name in names:
        assert Image.open(folder / f"{name}.png").size[0] > 200
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    assert set(events.Tags()["images"]) == names
    scalars = {name: events.Scalars(name)[-1].value for name in ("test_acc", "test_loss")}
    recorded = json.loads((folder / "results.json").read_text())
    assert scalars == pytest.approx({name: recorded[name] for name in scalars})


def test_the_saved_config_reproduces_the_committee(trained, no_pictures):
    own = Path("tb_logs/dense/committee_3")
    config = yaml.safe_load((own / "config.yaml").read_text())
    assert config["model"]["class_path"].endswith("EnsembleModule")
    before = (own / "predictions.csv").read_bytes()
    shutil.copy(own / "config.yaml", "again.yaml")
    assert main(["test", "--config", "again.yaml"]) == 0
    assert (own / "predictions.csv").read_bytes() == before
    assert json.loads((own / "results.json").read_text())["test_reads"] == 2


def test_members_outside_a_run_are_named_by_path(trained, members, no_pictures):
    for seed in (42, 44):
        shutil.copy(f"tb_logs/dense/seed_{seed}/checkpoints/best.ckpt", f"{seed}.ckpt")
    options = ["--model.checkpoints", '["42.ckpt", "44.ckpt"]', "--name", "mine"]
    assert main(["test", "--config", f"{CONFIGS}/ensemble.yaml", *members[4:], *options]) == 0
    recorded = json.loads(Path("tb_logs/mine/committee_2/results.json").read_text())
    assert [member["run"] for member in recorded["members"]] == ["42.ckpt", "44.ckpt"]


def test_the_report_tells_how_many_images_validated(recorded):
    assert "Each validation accuracy is of 100 images." in markdown(recorded)
    first, *others = recorded["members"]
    mixed = recorded | {"members": [first | {"val_images": 20}, *others]}
    assert "Each validation accuracy is of 20 to 100 images." in markdown(mixed)


def test_a_member_whose_validation_is_unknown_has_an_empty_cell(recorded):
    blank = {"val_acc": None, "val_images": None, "epoch": None}
    text = markdown(recorded | {"members": [member | blank for member in recorded["members"]]})
    assert "Each validation accuracy" not in text
    rows = rows_of(text, "| val acc")
    assert [row[1] for row in rows[:3]] == ["", "", ""]
