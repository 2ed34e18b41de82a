"""A run's event files, read with TensorBoard's own reader."""

import csv
import io
import json
import platform
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.summary.writer import event_file_writer
from torch.utils.tensorboard import SummaryWriter

from lit_mnist.data import MNISTDataModule
from lit_mnist.data.datasets import labels
from lit_mnist.logs.hparams import hparams
from lit_mnist.logs.new_best import best_of_epoch
from tests import kept
from tests.conftest import SMALL

RUN = Path("tb_logs/dense/seed_42")


def points():
    """Each scalar's (step, value) pairs in reading order."""
    events = EventAccumulator(str(RUN)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_only_fit_adds_to_the_training_curves(run_cli, shared):
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
    best = json.loads((RUN / "results.json").read_text())["best_epoch"]
    at, _ = before["val_acc"][best]
    assert [step for step, _ in after["test_acc"]] == [at]
    images = pictures(RUN)
    assert {tag: images[tag] for tag in ("confusion", "misclassified", "curves_tested")} == {
        tag: [at] for tag in ("confusion", "misclassified", "curves_tested")
    }
    assert images["curves"] == [before["val_acc"][-1][0]]


@pytest.mark.parametrize("top", ["$STUDY", "~"])
def test_a_folder_with_a_name_that_a_shell_would_replace_holds_all_files(
    run_cli, here, monkeypatch, top
):
    monkeypatch.setenv("STUDY", "other")
    monkeypatch.setenv("HOME", str(here / "home"))
    options = "--log_dir", f"./{top}/logs", "--name", "x$STUDY", "--trainer.max_epochs", "1"
    for command in ("fit", "test"):
        status, _, problems = run_cli(command, *options)
        assert status == 0, problems
    run = here / top / "logs" / "x$STUDY" / "seed_42"
    assert len([*run.glob("events.out.tfevents.*")]) == 2
    assert [*here.iterdir()] == [here / top]


@pytest.mark.parametrize(
    "part",
    [
        ("--trainer.limit_test_batches", "1", "--data.eval_batch_size", "20"),
        ("--trainer.precision", "bf16-true"),
    ],
)
def test_a_test_that_does_not_count_leaves_the_full_one_s_scores(run_cli, shared, part):
    kept.fitted(shared, run_cli)
    assert run_cli("test")[0] == 0
    before = {path: path.read_bytes() for path in RUN.glob("events.out.tfevents.*")}
    assert run_cli("test", *part)[0] == 0
    assert {path: path.read_bytes() for path in RUN.glob("events.out.tfevents.*")} == before


def pictures(folder):
    """Each picture's steps."""
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    return {tag: [one.step for one in events.Images(tag)] for tag in events.Tags()["images"]}


def epochs_of(part, tag, run=RUN):
    events = EventAccumulator(str(run / part)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def columns(run=RUN):
    return [*csv.DictReader((run / "metrics.csv").open())]


def test_training_and_validation_share_a_tag_with_epochs_as_steps(run_cli, shared):
    kept.fitted(shared, run_cli)
    for part, short in (("train", "train"), ("val", "val")):
        for tag, name in (("accuracy", "acc"), ("loss", "loss")):
            expected = [(e, float(row[f"{short}_{name}"])) for e, row in enumerate(columns())]
            points = epochs_of(part, f"by_epoch/{tag}")
            assert [step for step, _ in points] == [0, 1]
            assert [value for _, value in points] == pytest.approx([v for _, v in expected])


def test_resumed_killed_and_fresh_runs_have_each_point_once(run_cli, monkeypatch):
    # files of one second are read in the order of their names, by which 10 comes before 9
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(100))
    assert run_cli("fit")[0] == 0  # not a kept run, whose files may be of this second, too
    before = epochs_of("val", "by_epoch/accuracy")
    # as of a process that was killed after it wrote of epoch 2, and before its checkpoint
    with SummaryWriter(str(RUN / "val")) as writer:
        writer.add_scalar("by_epoch/accuracy", 0.123, 2)
        writer.add_scalar("by_epoch_recall/tsu", 0.123, 2)
        writer.add_image("by_epoch_best/worst", np.zeros((4, 4, 3), np.uint8), 2, dataformats="HWC")
    by_step = points()
    with SummaryWriter(str(RUN)) as writer:
        for tag in ("train_loss", "lr", "val_acc"):
            writer.add_scalar(tag, 0.123, by_step[tag][-1][0] + 3)
    whole = max((RUN / "val").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    with whole.open("ab") as file:
        file.write(b"\x18\0\0\0")  # half of a record's head
    assert run_cli("fit", "--trainer.max_epochs", "4")[0] == 0
    after = epochs_of("val", "by_epoch/accuracy")
    assert [step for step, _ in after] == [0, 1, 2, 3]
    assert after[:2] == before
    assert [v for _, v in after] == pytest.approx([float(row["val_acc"]) for row in columns()])
    assert [step for step, _ in points()["val_acc"]] == [8, 17, 26, 35]
    assert [step for step, _ in epochs_of("val", "by_epoch_recall/tsu")] == [0, 1, 2, 3]
    assert 0.123 not in [round(v, 3) for _, v in epochs_of("val", "by_epoch_recall/tsu")]
    shown = pictures(RUN / "val")["by_epoch_best/worst"]
    assert shown == sorted({*shown})
    for tag, (first, second) in by_step.items():
        steps = [step for step, _ in points()[tag]]
        assert points()[tag][:2] == [first, second]
        assert np.diff(steps).tolist() == [second[0] - first[0]] * 3
    assert run_cli("fit", "--fresh")[0] == 0
    assert epochs_of("val", "by_epoch/accuracy") == before
    assert points() == by_step


@pytest.mark.pictures
def test_recalls_and_pictures_come_from_validation(run_cli):
    assert run_cli("fit", "--data.augment", "true")[0] == 0
    data = MNISTDataModule(yaml.safe_load((RUN / "config.yaml").read_text())["data"]["data_dir"])
    data.dataset = SMALL
    data.setup("fit")
    counts = torch.bincount(data.train_set.labels[data.val_indices], minlength=10).tolist()
    recalls = [epochs_of("val", f"by_epoch_recall/{name}") for name in labels(SMALL)]
    for epoch, row in enumerate(columns()):
        right = sum(n * own[epoch][1] for n, own in zip(counts, recalls, strict=True))
        assert right / 100 == pytest.approx(float(row["val_acc"]))
        assert {own[epoch][0] for own in recalls} == {epoch}
    scores = [float(row["val_acc"]) for row in columns()]
    best = [e for e, score in enumerate(scores) if score > max(scores[:e], default=-1)]
    shown = pictures(RUN / "val")
    assert shown == {"by_epoch_best/confusion": best, "by_epoch_best/worst": best}
    train = EventAccumulator(str(RUN / "train")).Reload()
    (batch,) = train.Images("first_batch")
    assert batch.step == 0
    sheet = np.array(Image.open(io.BytesIO(batch.encoded_image_string)))
    assert sheet.shape == (5 * 75 + 6, 5 * 62 + 6, 3)
    assert train.Tags()["graph"]
    (config,) = train.Tensors("config/text_summary")
    lines = config.tensor_proto.string_val[0].decode().splitlines()
    text = "\n".join(line.removeprefix("    ") for line in lines)
    assert yaml.safe_load(text) == yaml.safe_load((RUN / "config.yaml").read_text())
    summary = EventAccumulator(str(RUN / "val")).Reload().Tensors("summary/text_summary")[-1]
    shown = summary.tensor_proto.string_val[0].decode()
    assert shown.startswith("| what | value |\n| --- | --- |\n| best_val_acc")  # no empty head
    assert f"| best_val_acc | {max(scores)}" in shown
    assert f"| versions | python {platform.python_version()}, lit-mnist " in shown
    assert "{" not in shown


def test_hparams_of_a_committee_omit_training_options():
    members = ["a/best.ckpt", "b/best.ckpt"]
    ensemble = {"class_path": "lit_mnist.models.EnsembleModule"}
    ensemble["init_args"] = {"checkpoints": members, "cascade": False, "classes": None}
    config = {"name": "fast", "seed_everything": 42, "trainer": {"max_epochs": 30}}
    config["model"] = ensemble
    config["data"] = {"dataset": "MNIST", "batch_size": 86, "augment": False}
    assert hparams(config) == {
        "model": "EnsembleModule",
        "checkpoints": "a/best.ckpt, b/best.ckpt",
        "cascade": "false",
        "dataset": "MNIST",
    }
    trained = hparams({**config, "model": {"class_path": "lit_mnist.models.DenseModule"}})
    assert trained["batch_size"] == 86
    assert trained["max_epochs"] == 30


def test_hparams_have_options_and_results(run_cli, shared):
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


def test_the_best_validation_within_an_epoch_is_logged():
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
    assert best_of_epoch([row(0, 1.0), row(1, 0.4), row(2, 0.5)], best(1, 0.4)) == {
        "best_val_acc": 0.5,  # the first row is of other images
        "best_val_loss": 0.5,
    }
