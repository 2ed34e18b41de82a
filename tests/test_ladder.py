"""The ladder: runs are recorded and completed, only equal ones averaged, page and chart agree."""

import importlib
import json
import statistics
import sys

import pytest

from tests.conftest import SMALL
from tests.test_benchmarks import FOLDER, in_forks, path  # noqa: F401 # fixtures

CONFIGS = FOLDER.parent / "configs"


@pytest.fixture
def ladder():
    return importlib.import_module("ladder")


@pytest.fixture
def page():
    return importlib.import_module("ladder_report")


def run_of(rung, seed, val_acc=0.99, seconds=2.0, commit="abc", hardware="h, 2 threads"):
    """The record of a run."""
    place = {"commit": commit, "hardware": hardware, "versions": {"torch": "2"}, "dataset": "MNIST"}
    scores = {"val_acc": val_acc, "seconds": seconds, "load": 0.5, "precision": "32-true"}
    return {"rung": rung, "seed": seed, "config": rung, "options": []} | place | scores


def test_trains_missing_runs_and_sums_their_seconds(
    ladder,
    small_data,
    tmp_path,
    monkeypatch,
    in_forks,  # noqa: F811 # a fixture
):
    target = tmp_path / "ladder.json"
    options = ("--quick", "--data-dir", str(small_data), "--dataset", SMALL)
    options += ("--output", str(target), "--epochs", "2")
    found = []
    fit = ladder.measuring.fit
    monkeypatch.setattr(
        ladder.measuring, "fit", lambda *a, **k: found.append(fit(*a, **k)) or found[-1]
    )
    with monkeypatch.context() as patch:
        patch.setattr(ladder, "write", lambda *_: None)  # the chart, which is drawn below
        assert ladder.main([*options, "--seeds", "1"]) == 0
    assert ladder.main([*options, "--seeds", "2"]) == 0
    first, second = json.loads(target.read_text())["runs"]
    assert len(found) == 2  # the first seed was there
    assert (first["seed"], second["seed"]) == (42, 43)
    assert first["val_acc"] == found[0].rows[-1]["val_acc"]
    assert first["seconds"] == pytest.approx(sum(row["seconds"] for row in found[0].rows), abs=1e-3)
    assert len(found[0].rows) == first["epochs"] == 2
    assert first["val_loss"] != second["val_loss"]
    assert first["seconds"] < first["whole_seconds"]
    mean = statistics.mean([first["val_acc"], second["val_acc"]])
    assert f"| 2 | {mean:.4f} ± " in target.with_suffix(".md").read_text()
    assert target.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("other", [{"commit": "old"}, {"options": ["--trainer.max_epochs", "5"]}])
def test_a_new_run_replaces_a_rung_s_runs_of_another_recipe(ladder, tmp_path, monkeypatch, other):
    target = tmp_path / "ladder.json"
    old = [*(run_of("fast", seed) | other for seed in (42, 43)), run_of("small", 42)]
    target.write_text(json.dumps({"benchmark": "ladder", "runs": old}))
    place = {key: old[2][key] for key in ("commit", "hardware", "versions", "dataset")}
    monkeypatch.setattr(ladder, "environment", lambda options: place)
    monkeypatch.setattr(ladder, "train", lambda options, name, seed: run_of(name, seed))
    wanted = ["--output", str(target), "--rungs", "fast", "small", "--seeds", "1"]
    assert ladder.main(wanted) == 0
    runs = json.loads(target.read_text())["runs"]
    assert [(run["rung"], run["commit"]) for run in runs] == [("small", "abc"), ("fast", "abc")]


def test_each_rung_is_a_config(ladder):
    for name in ladder.RUNGS:
        assert ladder.epochs_of(name) >= 1


def test_the_recorded_commit_is_the_last_to_change_the_program(ladder, tmp_path, monkeypatch):
    def git(*command):
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        return ladder.subprocess.run(
            ["git", "-C", str(tmp_path), *who, *command], check=True, capture_output=True, text=True
        ).stdout.strip()

    monkeypatch.setattr(ladder.measuring, "ROOT", tmp_path)
    git("init", "-q")
    (tmp_path / "cli.py").write_text("1")
    git("add", "."), git("commit", "-qm", "program")
    program = git("log", "-1", "--format=%h")
    (tmp_path / "results.md").write_text("1")
    git("add", "."), git("commit", "-qm", "results")
    assert ladder._commit() == program
    (tmp_path / "cli.py").write_text("2")
    assert ladder._commit() == f"{program}-dirty"


def test_the_table_marks_reached_targets(ladder, page):
    runs = [run_of("fast", seed, acc, 4.0) for seed, acc in ((42, 0.9901), (43, 0.9903))]
    runs.append(run_of("small", 42, 0.9949, 100.0, commit="xyz"))
    fast, small = page.table({"runs": runs}, ladder.RUNGS).splitlines()[2:]
    assert "| 2 | 0.9902 ± 0.0001 | 0.990, met | 4.0 ± 0.0 | 5, met | abc |" in fast
    assert "| 1 | 0.9949 | 0.995, missed | 100.0 | 120, met | xyz |" in small
    # Their mean is 0.995 but for the rounding of floats
    scores = enumerate((0.9956, 0.9952, 0.9953, 0.9947, 0.9942))
    exactly = [run_of("small", seed, acc) for seed, acc in scores]
    assert "| 0.995, met |" in page.table({"runs": exactly}, ladder.RUNGS)
    # As it was trained before it had a config of its own
    earlier = {"config": "fast", "options": ["--trainer.max_epochs", "5"]}
    longer = page.table({"runs": [run_of("longer", 42) | earlier]}, ladder.RUNGS)
    assert "| `fit --config configs/fast.yaml --trainer.max_epochs 5` |" in longer
    gpu = [run_of(name, 42, seconds=2.0, hardware="NVIDIA H100") for name in ("fast", "small")]
    fast, small = page.table({"runs": gpu}, ladder.RUNGS).splitlines()[2:]
    assert "| 0.990, met | 2.0 | 0.76, missed | abc |" in fast
    assert "| 0.995, missed | 2.0 |  | abc |" in small


def test_a_single_net_s_point_is_one_run(ladder):
    points = importlib.import_module("ladder_points").systems()
    rows = json.loads((CONFIGS.parent / "results" / "tutorial.json").read_text())
    dense, deep = rows["dense"], rows["committee_deep"]
    assert points[0].seconds == pytest.approx(dense["seconds"] / len(dense["runs"]))
    assert points[0].test_acc == dense["mean_acc"]
    assert (points[-1].seconds, points[-1].test_acc) == (deep["seconds"], deep["ours"]["test_acc"])


def test_the_chart_shows_rungs_systems_and_published_points(ladder, page):
    points = importlib.import_module("ladder_points")
    runs = [run_of("fast", 42, 0.99, 4.0), run_of("longer", 42, 0.993, 12.0)]
    (axes,) = page.chart({"runs": runs}, ladder.RUNGS).axes
    named = [text.get_text() for text in axes.texts]
    assert named[:2] == ["fast", "longer"]
    assert len(named) == 2 + len(points.systems()) + len(points.PUBLISHED)
    (ours,) = [
        line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_marker() == "o"
    ]
    assert ours.get_xdata().tolist() == [4.0, 12.0]
    assert ours.get_ydata().tolist() == [0.99, 0.993]


def test_the_ladder_refuses_gpu_without_cuda(ladder, monkeypatch, capsys):
    monkeypatch.setattr(ladder.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["ladder.py", "--accelerator", "gpu"])
    assert ladder.main() == 2
    assert "there is no CUDA device here" in capsys.readouterr().err
