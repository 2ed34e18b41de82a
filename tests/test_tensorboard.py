"""What a run's event files say, read back with TensorBoard's own reader."""

import csv
import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard import SummaryWriter

from lit_mnist.training.board import best_of_epoch
from tests import kept

RUN = Path("tb_logs/dense/seed_42")


def points():
    """Each scalar's (step, value) in the order in which they are read."""
    events = EventAccumulator(str(RUN)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_no_other_command_adds_to_the_curves_of_training(run_cli, shared):
    kept.fitted(shared, run_cli)
    before = points()
    for tag in ("train_loss", "train_acc", "val_loss", "val_acc", "lr"):
        steps = [step for step, _ in before[tag]]
        assert len(steps) == 2
        assert steps[0] < steps[1]
    for command in ("validate", "test", "test"):
        assert run_cli(command)[0] == 0
    after = points()
    assert {tag: after[tag] for tag in before} == before
    assert after.keys() - before.keys() == {"test_loss", "test_acc"}


def epochs_of(part, tag, run=RUN):
    events = EventAccumulator(str(run / part)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def columns(run=RUN):
    return [*csv.DictReader((run / "metrics.csv").open())]


def test_training_and_validation_share_a_tag_and_its_steps_are_epochs(run_cli, shared):
    kept.fitted(shared, run_cli)
    for part, short in (("train", "train"), ("val", "val")):
        for tag, name in (("accuracy", "acc"), ("loss", "loss")):
            expected = [(e, float(row[f"{short}_{name}"])) for e, row in enumerate(columns())]
            points = epochs_of(part, f"by_epoch/{tag}")
            assert [step for step, _ in points] == [0, 1]
            assert [value for _, value in points] == pytest.approx([v for _, v in expected])


def test_runs_resumed_killed_or_fresh_neither_double_nor_lose_points(run_cli, shared):
    kept.fitted(shared, run_cli)
    before = epochs_of("val", "by_epoch/accuracy")
    # as of a process that was killed after it wrote of epoch 2, and before its checkpoint
    with SummaryWriter(str(RUN / "val")) as writer:
        writer.add_scalar("by_epoch/accuracy", 0.123, 2)
    with SummaryWriter(str(RUN)) as writer:
        writer.add_scalar("val_acc", 0.123, 20)  # and of a validation within epoch 2
    whole = max((RUN / "val").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    with whole.open("ab") as file:
        file.write(b"\x18\0\0\0")  # half of a record's head
    assert run_cli("fit", "--trainer.max_epochs", "4")[0] == 0
    after = epochs_of("val", "by_epoch/accuracy")
    assert [step for step, _ in after] == [0, 1, 2, 3]
    assert after[:2] == before
    assert [v for _, v in after] == pytest.approx([float(row["val_acc"]) for row in columns()])
    assert [step for step, _ in points()["val_acc"]] == [8, 17, 26, 35]
    assert run_cli("fit", "--fresh")[0] == 0
    assert epochs_of("val", "by_epoch/accuracy") == before


def test_hparams_have_the_options_and_the_real_results(run_cli, shared):
    kept.fitted(shared, run_cli)
    for _ in range(2):
        assert run_cli("test")[0] == 0
    results = json.loads((RUN / "results.json").read_text())
    for name in ("best_val_acc", "best_val_loss", "test_acc", "test_loss"):
        assert epochs_of("final", f"final/{name}")[-1][1] == pytest.approx(results[name])
    assert len(epochs_of("final", "final/test_acc")) == 1
    events = EventAccumulator(str(RUN / "final")).Reload()
    content = events.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    options = HParamsPluginData.FromString(content).session_start_info.hparams
    assert options["model"].string_value == "DenseModule"
    assert options["lr"].number_value == 0.001
    assert options["seed"].string_value == "42"
    assert options["augment"].string_value == "false"
    assert run_cli("fit", "--trainer.max_epochs", "3")[0] == 0
    tags = EventAccumulator(str(RUN / "final")).Reload().Tags()["scalars"]
    assert set(tags) == {"final/best_val_acc", "final/best_val_loss"}  # the test was of others


def test_the_best_within_an_epoch_is_the_best():
    def row(epoch, val_acc):
        return {"epoch": epoch, "val_acc": val_acc, "val_loss": 1 - val_acc}

    def best(epoch, val_acc):
        return {"best_epoch": epoch, "best_val_acc": val_acc, "best_val_loss": 0.3}

    rows = [row(0, 0.5), row(1, 0.4)]
    assert best_of_epoch(rows[:1], {}) == {"best_val_acc": 0.5, "best_val_loss": 0.5}
    assert best_of_epoch(rows, best(0, 0.5)) == {}
    assert best_of_epoch(rows, best(1, 0.6)) == {"best_val_acc": 0.6, "best_val_loss": 0.3}
    assert best_of_epoch([*rows, row(2, 0.55)], best(1, 0.6)) == {}
    assert best_of_epoch([*rows, row(2, 0.7)], best(1, 0.6))["best_val_acc"] == 0.7
    assert best_of_epoch([*rows, row(2, float("nan"))], best(1, 0.6)) == {}
