"""How tests stop runs, and compare where these end.

An epoch has 9 batches: 8 of 60 images, and one of 20.
"""

import csv
import json
import re
from pathlib import Path

import pytest
import torch

RUN = Path("tb_logs/dense/seed_42")


RATE = ("--model.lr", "0.02")  # at which some epochs are worse than the one before
STOP_AT = "--trainer.callbacks+=tests.stop_at.StopAt"


def folder(name):
    return Path("tb_logs", name, "seed_42")


def results(place=RUN):
    return json.loads((place / "results.json").read_text())


def rows(place=RUN):
    with (place / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def checkpoint(name, place=RUN):
    return torch.load(place / "checkpoints" / f"{name}.ckpt", weights_only=True)


def end_state(place):
    """The files that must be bit-identical after any interruption."""
    last = checkpoint("last", place)
    states = last["optimizer_states"][0]["state"]
    tensors = {f"{i}.{key}": value for i, state in states.items() for key, value in state.items()}
    seconds = {"seconds"}
    table = [{k: v for k, v in row.items() if k not in seconds} for row in rows(place)]
    return last["state_dict"] | tensors, table, last["global_step"]


def assert_same_end(first, second):
    (tensors, table, step), (others, other_table, other_step) = map(end_state, (first, second))
    assert step == other_step
    assert table == other_table
    assert tensors.keys() == others.keys()
    assert all(equal(tensors[key], others[key]) for key in tensors)


def equal(one, other):
    """A module may save more than tensors."""
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def assert_best_is_best(run_cli, place, *options):
    """The file holds the best epoch of all, and validates at the recorded score."""
    accuracies = [float(row["val_acc"]) for row in rows(place)]
    recorded = results(place)
    assert recorded["best_val_acc"] == max(accuracies)
    assert recorded["best_epoch"] == checkpoint("best", place)["epoch"]
    assert recorded["best_epoch"] == accuracies.index(max(accuracies))
    status, output, _ = run_cli("validate", *options)
    assert status == 0
    assert f"val_acc {max(accuracies):.4f}" in output


def stopped(run_cli, monkeypatch, moment, *args, **config):
    """Runs a command that Ctrl-C ends."""
    monkeypatch.setenv("STOP_AT", moment)
    with pytest.raises(SystemExit) as ended:
        run_cli(*args, **config)
    assert ended.value.code == 130
    monkeypatch.setenv("STOP_AT", "")


def no_nan(*texts):
    assert not re.search(r"\bnan\b", " ".join(texts), re.IGNORECASE)
