"""Equal numbers and pictures for all loggers of a user."""

import csv
import errno
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lit_mnist.data.datasets import labels
from lit_mnist.logs.loggers import add_picture, shows_pictures
from lit_mnist.logs.run_logger import RunLogger
from tests.conftest import SMALL
from tests.no_dropout import LinearModule
from tests.stopping import STOP_AT

RUN = Path("tb_logs/dense/seed_42")


def rows(path):
    return [*csv.DictReader(path.open(newline=""))]


def test_two_loggers_get_the_run_s_metrics_and_supported_pictures(run_cli):
    loggers = ("CSVLogger", "TensorBoardLogger")
    options = (f'{{"class_path": "{name}", "init_args": {{"save_dir": "x"}}}}' for name in loggers)
    assert run_cli("fit", f"--trainer.logger=[{','.join(options)}]")[0] == 0
    assert not [*RUN.rglob("events.out.tfevents.*")]
    (table,) = Path("x").rglob("metrics.csv")
    (events,) = Path("x").rglob("events.out.tfevents.*")
    events = EventAccumulator(str(events), size_guidance={"images": 0}).Reload()
    names = ["val_acc", "val_loss", "train_acc", "train_loss", "lr", "seconds"]
    for name in [*names, *(f"recall_{name}" for name in labels(SMALL))]:
        written = [(int(r["step"]), float(r[name])) for r in rows(table) if r[name]]
        shown = [(one.step, one.value) for one in events.Scalars(name)]
        assert len(written) == 2
        assert [step for step, _ in written] == [step for step, _ in shown]
        assert [v for _, v in written] == pytest.approx([v for _, v in shown])
        if name in names:
            own = [float(row[name]) for row in rows(RUN / "metrics.csv")]
            assert [v for _, v in written] == pytest.approx(own)
    assert {"first_batch", "val_confusion", "curves"} <= {*events.Tags()["images"]}


def test_a_csv_logger_keeps_the_rows_of_earlier_commands(run_cli):
    options = {"save_dir": "x", "name": "y", "version": 0}
    logger = f"--trainer.logger={json.dumps({'class_path': 'CSVLogger', 'init_args': options})}"
    table, before = Path("x/y/version_0/metrics.csv"), []
    for command, more in (("fit", "2"), ("test", "2"), ("fit", "3")):
        assert run_cli(command, logger, "--trainer.max_epochs", more)[0] == 0
        now = [{name: text for name, text in row.items() if text} for row in rows(table)]
        assert now[: len(before)] == before
        assert len(now) > len(before)
        before = now


def fixed(save_dir, *kinds):
    places = {"save_dir": save_dir, "name": "y", "version": "z"}
    loggers = [{"class_path": kind, "init_args": places} for kind in kinds]
    return f"--trainer.logger={json.dumps(loggers)}"


BOTH = ("CSVLogger", "TensorBoardLogger")
TABLE = Path("x/y/z/metrics.csv")


def validated():
    """The steps of the validations, in the table and in TensorBoard's files."""
    events = EventAccumulator(str(TABLE.parent)).Reload()
    in_table = [int(row["step"]) for row in rows(TABLE) if row["val_acc"]]
    return in_table, [one.step for one in events.Scalars("val_acc")]


class Dying(Callback):
    """Ends the process' work before the checkpoint of an epoch, as a kill would."""

    def __init__(self, epoch: int = 1):
        self.epoch = epoch

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch and os.environ.get("DYING"):
            raise RuntimeError("killed")


@pytest.mark.parametrize("epoch", [0, 1])  # before the first checkpoint, and after
def test_a_killed_run_s_rows_are_there_once(run_cli, monkeypatch, epoch):
    dying = {"class_path": f"{__name__}.Dying", "init_args": {"epoch": epoch}}
    options = (fixed("x", *BOTH), f"--trainer.callbacks={json.dumps(dying)}")
    monkeypatch.setenv("DYING", "1")
    with pytest.raises(RuntimeError, match="killed"):
        run_cli("fit", *options)
    with TABLE.open("a") as file:
        file.write("0.1,")  # half of a row
    monkeypatch.delenv("DYING")
    assert run_cli("fit", *options)[0] == 0
    assert validated() == ([8, 17], [8, 17])
    whole = (*options, "--log_dir", "whole", fixed("whole", "CSVLogger"))
    assert run_cli("fit", *whole)[0] == 0
    tables = [rows(path) for path in (TABLE, Path("whole/y/z/metrics.csv"))]
    first, second = ([(row["step"], row["val_loss"]) for row in table] for table in tables)
    assert first == second


class ByHand(LinearModule):
    """Optimizes by itself, and logs by step in training and in validation."""

    steps = 2  # that its optimizer takes in each batch, as Lightning counts them

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers(use_pl_optimizer=self.steps > 0)
        loss = super().training_step(batch, batch_idx)
        optimizer.zero_grad()
        self.manual_backward(loss)
        for _ in range(max(self.steps, 1)):
            optimizer.step()
        self.log("step_loss", loss, on_step=True, on_epoch=True)

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("place", 100.0 * self.trainer.current_epoch + batch_idx, on_step=True)


class Unseen(ByHand):
    """Lightning sees none of its steps."""

    steps = 0


def by_step(name, folder):
    """The points of a value: of a CSVLogger's table, and of TensorBoard's files."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    table = folder / "metrics.csv"
    in_table = [(int(r["step"]), float(r[name])) for r in rows(table) if r.get(name)]
    return in_table, [(one.step, one.value) for one in events.Scalars(name)]


@pytest.mark.parametrize("kind", [ByHand, Unseen])
def test_a_killed_run_that_optimizes_by_itself_has_all_points_once(run_cli, monkeypatch, kind):
    dying = {"class_path": f"{__name__}.Dying", "init_args": {"epoch": 1}}
    module = ("--model", f"{__name__}.{kind.__name__}", "--data.eval_batch_size", "20")
    options = (
        *module,
        "--trainer.log_every_n_steps",
        "1",
        f"--trainer.callbacks={json.dumps(dying)}",
    )
    ways = [(fixed("x", *BOTH),), ("--log_dir", "own")]  # with the user's loggers, and our own
    monkeypatch.setenv("DYING", "1")
    for way in ways:
        with pytest.raises(RuntimeError, match="killed"):
            run_cli("fit", *options, *way)
    monkeypatch.delenv("DYING")
    time.sleep(1)  # TensorBoard reads files by their names, which hold the second
    for way in ways:
        assert run_cli("fit", *options, *way)[0] == 0
    assert run_cli("fit", *options, "--log_dir", "whole", fixed("whole", *BOTH))[0] == 0
    assert validated() == ([8, 17], [8, 17])
    for name, count in {"step_loss_step": 18, "val_loss": 2, "place_step": 10}.items():
        whole, shown = by_step(name, Path("whole/y/z"))
        assert len(shown) == count
        assert dict(shown) == pytest.approx(dict(whole))
        again, shown_again = by_step(name, TABLE.parent)
        if name == "place_step":  # counts the batches of validations, which are purged by steps
            again, shown_again = sorted({*again}), sorted({*shown_again})
        assert (again, shown_again) == (whole, shown)
        own = (
            EventAccumulator("own/dense/seed_42", size_guidance={"scalars": 0})
            .Reload()
            .Scalars(name)
        )
        assert {(one.step, one.value) for one in own} == {*shown}
        assert len(own) == count or name == "place_step"
    time.sleep(1)
    assert run_cli("test", *module, "--log_dir", "own")[0] == 0
    own = EventAccumulator("own/dense/seed_42").Reload()
    best = max(own.Scalars("val_acc"), key=lambda one: one.value).step
    assert [one.step for one in own.Scalars("test_acc")] == [best]


class Placed(LinearModule):
    """Logs by step in validation."""

    def validation_step(self, batch, batch_idx):
        super().validation_step(batch, batch_idx)
        self.log("place", 100.0 * self.trainer.current_epoch + batch_idx, on_step=True)


def test_steps_of_a_validation_start_over_where_its_loaders_do_also_after_a_resume(run_cli):
    options = ("--model", f"{__name__}.Placed", "--data.eval_batch_size", "50")
    options += ("--trainer.reload_dataloaders_every_n_epochs", "2")
    for epochs in ("1", "2", "3", "5"):
        assert run_cli("fit", *options, fixed("x", *BOTH), "--trainer.max_epochs", epochs)[0] == 0
    whole = ("--log_dir", "whole", fixed("whole", *BOTH), "--trainer.max_epochs", "5")
    assert run_cli("fit", *options, *whole)[0] == 0
    steps = [by_step("place_step", folder)[0] for folder in (TABLE.parent, Path("whole/y/z"))]
    assert steps[0] == steps[1]
    assert [step for step, _ in steps[0]] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]


class Unclosed(CSVLogger):
    """Is not closed when training fails, as when its process is killed."""

    def finalize(self, status):
        if status != "failed":
            super().finalize(status)


def test_rows_that_a_callback_logs_are_there_if_a_run_is_killed_within_an_epoch(
    run_cli, monkeypatch
):
    options = (fixed("x", f"{__name__}.Unclosed"), "--trainer.callbacks+=LearningRateMonitor")
    options += ("--trainer.callbacks.logging_interval", "step")
    options += (STOP_AT, "--trainer.log_every_n_steps", "1", "--every_n_train_steps", "3")
    monkeypatch.setenv("STOP_AT", "error at 14")  # of 9 a batch, so that 12 are saved
    with pytest.raises(RuntimeError):
        run_cli("fit", *options)
    monkeypatch.setenv("STOP_AT", "")
    assert run_cli("fit", *options)[0] == 0
    assert [int(row["step"]) for row in rows(TABLE) if row["lr-Adam"]] == [*range(18)]


class Full(CSVLogger):
    """Can write nothing from the fifth step on."""

    def save(self):
        if self.experiment.metrics and self.experiment.metrics[-1]["step"] > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "table")
        super().save()


def test_a_logger_that_cannot_save_ends_training_behind_a_checkpoint_of_the_error(run_cli):
    options = (fixed("x", f"{__name__}.Full"), "--trainer.callbacks+=LearningRateMonitor")
    options += ("--trainer.log_every_n_steps", "1", "--every_n_train_steps", "2")
    on_error = ("--trainer.callbacks+=OnExceptionCheckpoint", "--trainer.callbacks.dirpath", "kept")
    status, _, problems = run_cli("fit", *options, *on_error)
    assert (status, problems.count("table")) == (2, 1)
    assert torch.load("kept/on_exception.ckpt", weights_only=True)["global_step"] == 6
    last = torch.load(RUN / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 4


def test_a_fresh_run_starts_its_rows_over_and_a_new_one_adds_to_another_s(run_cli):
    options = (fixed("x", *BOTH), "--trainer.max_epochs", "1")
    assert run_cli("fit", *options)[0] == 0
    before = len(rows(TABLE))
    assert run_cli("fit", *options, "--fresh", "--model.lr", "0.002")[0] == 0
    assert len(rows(TABLE)) == before
    assert validated() == ([8], [8])
    assert run_cli("fit", *options, "--seed_everything", "7")[0] == 0
    assert validated()[0] == [8, 8]


def test_weights_and_biases_gets_metrics_and_pictures(run_cli, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    logger = '{"class_path": "WandbLogger", "init_args": {"save_dir": "x", "offline": true}}'
    status, _, problems = run_cli("fit", f"--trainer.logger={logger}")
    assert status == 0, problems
    wandb.finish()
    files = {path.name.rpartition("_")[0].split("_0_")[0] for path in Path("x").rglob("*.png")}
    kinds = ("first_batch", "val_confusion", "curves")
    assert all(any(name.startswith(kind) for name in files) for kind in kinds), files


class OwnLogger(CSVLogger):
    """Has a `log_image` that takes other arguments than Wandb's."""

    def log_image(self, name, image):
        raise AssertionError


class OwnWandbLogger(WandbLogger):
    """Notes the names of the pictures, and needs no Wandb."""

    def __init__(self):
        self.names = []

    def log_image(self, key, images, step=None, **kwargs):
        self.names.append((key, len(images), step))


def test_only_the_log_image_of_lightning_s_loggers_is_called(tmp_path):
    own, wandb = OwnLogger(tmp_path), OwnWandbLogger()
    assert [*map(shows_pictures, (own, wandb))] == [False, True]
    for logger in (own, wandb):
        add_picture(logger, "curves", np.zeros((2, 2, 3), np.uint8), 7)
    assert wandb.names == [("curves", 1, 7)]


def test_a_logger_with_a_log_image_of_its_own_is_left_alone(run_cli):
    logger = {"class_path": f"{__name__}.OwnLogger", "init_args": {"save_dir": "x"}}
    status, _, problems = run_cli("fit", f"--trainer.logger={json.dumps(logger)}")
    assert status == 0, problems
    assert json.loads((RUN / "results.json").read_text())["status"] == "complete"


@pytest.mark.parametrize(
    ("metrics", "at"),
    [
        ({"test_ratio": 0.5}, 3),
        ({"ratio": 0.5, "epoch": 0}, 3),  # as Lightning logs it at the end of a test
        ({"ratio": 0.5}, 7),  # and for each batch
    ],
)
def test_only_a_test_s_scores_are_logged_at_the_step_of_the_weights(tmp_path, metrics, at):
    (name, _), *_ = metrics.items()
    for step, expected in ((None, 7), (3, at)):
        logger = RunLogger(tmp_path, "run", str(step))
        if step is not None:
            logger.set_test_step(step)
        logger.log_metrics(metrics, 7)
        logger.finalize("success")
        events = EventAccumulator(str(tmp_path / "run" / str(step))).Reload()
        assert [one.step for one in events.Scalars(name)] == [expected]
