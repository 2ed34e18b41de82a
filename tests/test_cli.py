"""The command fit, run as a user runs it, on a small dataset."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import Callback
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_mnist.main import main
from tests import trained
from tests.program_runs import csv_rows, equal, weights
from tests.stopping import RUN, results

COLUMNS = ["epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds"]


@pytest.mark.pictures
def test_fit_writes_the_documented_files(run_cli):
    status, output, problems = run_cli("fit", config="simple_plateau")
    folder = Path("tb_logs/simple_plateau/seed_42")
    assert (status, problems) == (0, "")
    names = {path.name for path in folder.iterdir()}
    assert {"checkpoints", "config.yaml", "metrics.csv", "results.json", "curves.png"} <= names
    assert len([name for name in names if name.startswith("events.out.tfevents.")]) == 1
    assert names >= {"train", "val", "final"}  # what TensorBoard shows by epochs
    assert len(names) == 9
    assert list(csv_rows("metrics.csv", folder)[0]) == COLUMNS
    assert [row["epoch"] for row in csv_rows("metrics.csv", folder)] == ["0", "1"]
    info = results(folder)
    assert info["status"] == "complete"
    assert (info["name"], info["seed"], info["epochs"]) == ("simple_plateau", 42, 2)
    accuracies = [float(row["val_acc"]) for row in csv_rows("metrics.csv", folder)]
    assert info["best_val_acc"] == max(accuracies)
    assert info["best_epoch"] == accuracies.index(max(accuracies))
    assert "test_acc" not in info
    # one line an epoch, two before, and what to do next
    lines = output.splitlines()
    assert f"precision {info['precision']}, channels {info['channels_last'] and 'last'}" in lines[1]
    assert [line.split()[:2] for line in lines[2:4]] == [["epoch", "0"], ["epoch", "1"]]
    assert "ETA" in lines[2]
    assert lines[5].startswith("next: ")
    assert len(lines) == 7


def test_checkpoints_hold_the_right_epochs(four_epochs):
    for name, epoch in (("best", results()["best_epoch"]), ("last", 3)):
        checkpoint = torch.load(RUN / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert checkpoint["epoch"] == epoch
        assert checkpoint["hyper_parameters"]["lr"] == 0.02


@pytest.mark.pictures
def test_predictions_of_a_test_agree_with_its_results(run_cli):
    run_cli("fit")
    status, output, problems = run_cli("test")
    assert (status, problems) == (0, "")
    table = csv_rows("predictions.csv")
    assert [int(row["index"]) for row in table] == list(range(101))
    errors = sum(row["label"] != row["prediction"] for row in table)
    recorded = results()
    assert recorded["test_errors"] == errors
    assert recorded["test_acc"] == pytest.approx(1 - errors / 101)
    probabilities = np.array([[float(row[f"p{d}"]) for d in range(10)] for row in table])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == [int(row["prediction"]) for row in table]).all()
    chosen = probabilities[np.arange(101), [int(row["label"]) for row in table]]
    assert recorded["test_loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)
    assert f"{errors} errors" in output
    for name in ("misclassified.png", "confusion.png", "curves.png"):
        assert Image.open(RUN / name).size[0] > 200
    check_tensorboard_has_every_scalar_and_picture()


def check_tensorboard_has_every_scalar_and_picture():
    events = EventAccumulator(str(RUN), size_guidance={"images": 0}).Reload()
    expected = {"train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc", "lr"}
    assert expected <= set(events.Tags()["scalars"])
    pictures = {"curves", "curves_tested", "misclassified", "confusion"}
    assert set(events.Tags()["images"]) == pictures
    logged = [event.value for event in events.Scalars("val_acc")]
    assert logged == pytest.approx([float(row["val_acc"]) for row in csv_rows("metrics.csv")])


def test_equal_seeds_give_identical_weights_and_other_seeds_others(run_cli):
    short = ("--trainer.limit_train_batches", "3")
    for name, seed in (("a", "1"), ("b", "1"), ("a", "2")):
        options = ("--name", name, "--seed_everything", seed)
        assert run_cli("fit", *short, *options, config="simple_augmented")[0] == 0
    a, b, other = (
        weights(Path("tb_logs", n, f"seed_{s}")) for n, s in (("a", 1), ("b", 1), ("a", 2))
    )
    assert equal(a, b)
    assert not equal(a, other)


def test_fit_is_the_same_without_the_test_files(run_cli, fitted, small_data, tmp_path):
    moved = tmp_path / "only_train"
    raw = moved / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (small_data / "KMNIST" / "raw").glob("train-*"):
        (raw / path.name).write_bytes(path.read_bytes())
    status, *_ = run_cli(
        "fit", "--name", "without", "--data.data_dir", str(moved), "--data.download", "false"
    )
    assert status == 0
    assert equal(weights(), weights(Path("tb_logs/without/seed_42")))


def test_the_same_command_again_reports_a_complete_run(run_cli, fitted):
    before = {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()}
    status, output, _ = run_cli("fit")
    assert status == 0
    assert "is complete: 2 epochs" in output
    assert "--fresh" in output
    assert before == {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()}


def test_raising_max_epochs_continues_bit_identically(run_cli, trained_runs, here):
    options = ("--trainer.max_epochs", "4")
    run_cli("fit", "--name", "whole", *options, config="simple_plateau")
    trained.copy(trained_runs, here)
    status, output, _ = run_cli("fit", *options, config="simple_plateau")
    assert status == 0
    assert "resuming after epoch 1" in output
    whole, parts = Path("tb_logs/whole/seed_42"), trained.RUN
    assert equal(weights(whole), weights(parts))
    without_seconds = [
        [
            {k: v for k, v in row.items() if k != "seconds"}
            for row in csv_rows("metrics.csv", folder)
        ]
        for folder in (whole, parts)
    ]
    assert without_seconds[0] == without_seconds[1]
    assert yaml.safe_load((parts / "config.yaml").read_text())["trainer"]["max_epochs"] == 4


def test_further_training_removes_the_outdated_test_score(run_cli, fitted):
    run_cli("test")
    assert "test_acc" in results()
    run_cli("fit", "--trainer.max_epochs", "3")
    assert "test_acc" not in results()


@pytest.mark.parametrize(
    ("option", "difference"),
    [
        (("--model.lr", "0.5"), "model.init_args.lr: 0.001, now 0.5"),
        (("--data.augment", "true"), "data.augment: False, now True"),
        (("--trainer.max_epochs", "1"), "trainer.max_epochs: 2 done, now 1"),
        (
            ("--model", "SimpleConvModule"),
            "model.class_path: lit_mnist.models.DenseModule, now",
        ),
    ],
)
def test_other_options_under_the_same_name_are_refused(run_cli, fitted, option, difference):
    before = weights()
    status, _, problems = run_cli("fit", *option)
    assert status == 2
    assert difference in problems
    assert problems.count("\n") == 1
    assert equal(weights(), before)


def test_fresh_replaces_only_the_run_s_own_files(run_cli, fitted):
    run_cli("test")
    notes = RUN / "notes.txt"
    notes.write_text("mine")
    status, *_ = run_cli("fit", "--fresh", "--model.lr", "0.01", "--trainer.max_epochs", "1")
    assert status == 0
    assert notes.read_text() == "mine"
    assert not (RUN / "predictions.csv").exists()
    assert len(csv_rows("metrics.csv")) == 1
    assert len(list(RUN.glob("events.*"))) == 1


def test_fresh_with_a_bad_option_deletes_nothing(run_cli, fitted, tmp_path):
    before = weights()
    status, *_ = run_cli(
        "fit", "--fresh", "--data.data_dir", str(tmp_path / "none"), "--data.download", "false"
    )
    assert status == 2
    assert equal(weights(), before)


def test_fresh_in_quotes_replaces_nothing(run_cli, fitted):
    Path("own.yaml").write_text("fresh: 'false'\n")
    status, _, problems = run_cli("fit", "--config", "own.yaml", "--model.lr", "0.5")
    assert status == 2
    assert "--fresh 'false': give true or false" in problems
    assert (RUN / "checkpoints" / "last.ckpt").exists()


class Sanity(Callback):
    """Tells of the check before training, which may change what a checkpoint has loaded."""

    def on_sanity_check_start(self, trainer, pl_module):
        print("sanity check")


def test_a_run_that_searches_a_rate_has_its_sanity_check(run_cli):
    finder = ("--trainer.callbacks+=LearningRateFinder", "--trainer.callbacks.num_training_steps=4")
    tells = f"--trainer.callbacks+={__name__}.Sanity"
    status, output, problems = run_cli("fit", "--trainer.num_sanity_val_steps", "1", *finder, tells)
    assert status == 0, problems
    assert "sanity check" in output


def test_a_resumed_run_has_no_sanity_check(run_cli):
    checked = (
        "fit",
        "--trainer.num_sanity_val_steps",
        "1",
        f"--trainer.callbacks+={__name__}.Sanity",
    )
    assert "sanity check" in run_cli(*checked)[1]
    status, output, _ = run_cli(*checked, "--trainer.max_epochs", "3")
    assert status == 0
    assert "resuming" in output
    assert "sanity check" not in output


def test_a_saved_config_can_be_trained_again_with_another_seed(run_cli, fitted):
    saved = (RUN / "config.yaml").read_text()
    Path("other.yaml").write_text(saved.replace("seed_everything: 42", "seed_everything: 7"))
    assert main(["fit", "--config", "other.yaml"]) == 0
    run_cli("fit", "--seed_everything", "7", "--name", "typed")
    assert equal(*(weights(Path("tb_logs", name, "seed_7")) for name in ("dense", "typed")))


def test_a_damaged_last_checkpoint_is_reported_and_best_is_used(run_cli, fitted):
    last = RUN / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    status, output, _ = run_cli("fit", "--trainer.max_epochs", "3")
    assert status == 0
    assert "last.ckpt: damaged" in output
    assert "resuming after epoch" in output
    assert len(csv_rows("metrics.csv")) == 3
