"""Restoring a run's small files from its checkpoints."""

import json
from pathlib import Path

import pytest

from lit_mnist.main import main
from lit_mnist.runs.tested_files import touched

RUN = Path("tb_logs/dense/seed_42")


@pytest.mark.parametrize("damage", [None, "epoch,lr\n1,x\n", "epoch,train_loss\n0,1.0\n"])
def test_fit_restores_missing_files_of_a_finished_run(trained, members, damage):
    table, known = (RUN / "metrics.csv").read_text(), json.loads((RUN / "results.json").read_text())
    (RUN / "results.json").unlink()
    (RUN / "metrics.csv").unlink()
    if damage:
        (RUN / "metrics.csv").write_text(damage)
    assert main(["fit", *members]) == 0
    assert (RUN / "metrics.csv").read_text() == table
    now = json.loads((RUN / "results.json").read_text())
    known["best_file_touched"] = touched(RUN / "checkpoints" / "best.ckpt")  # a copy
    assert now == {key: known[key] for key in now}
    assert {"status", "name", "seed", "best_epoch", "best_val_acc", "data_sha256"} <= now.keys()
    assert not any(key.startswith("test_") for key in now)


def test_fit_keeps_existing_files_of_a_finished_run(trained, members):
    before = {path: path.stat().st_mtime_ns for path in RUN.iterdir() if path.is_file()}
    assert main(["fit", *members]) == 0
    assert {path: path.stat().st_mtime_ns for path in RUN.iterdir() if path.is_file()} == before
