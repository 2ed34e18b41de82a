"""The callbacks that write checkpoints, as a user's code finds them."""

import pytest
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_mnist.models import DenseModule
from lit_mnist.runs.folder import Run
from lit_mnist.training.best_checkpoint import BestCheckpoint
from lit_mnist.training.checkpointing import checkpoints_of
from tests.fitting import callback, fitted, recipe
from tests.stopping import STOP_AT, checkpoint, folder, no_nan, results, stopped

HERE = "tests.training.test_checkpointing"
HOOKS = [name for name in vars(Callback) if name.startswith("on_")]
SEEN = []  # hook, the trainer's first checkpoint callback, its path and score; all of them


def note(hook, trainer):
    first = trainer.checkpoint_callback
    found = (first.best_model_path, first.best_model_score) if first else ()
    kinds = {type(one) for one in trainer.checkpoint_callbacks if one.best_model_path is not None}
    SEEN.append((hook, first, *found, kinds))


def reading(hook, original):
    def read(self, *args, **kwargs):
        if isinstance(self, DenseModule) and self._trainer is None:  # outside of a trainer
            return original(self, *args, **kwargs)
        note(hook, self.trainer if isinstance(self, DenseModule) else args[0])
        return original(self, *args, **kwargs)

    return read


class Reads(Callback):
    """Asks each of the trainer's checkpoint callbacks for its best, in every hook."""


class AlsoReads(DenseModule):
    """Likewise."""


for one in (Reads, AlsoReads):
    for name in HOOKS:
        if original := getattr(one, name, None):
            setattr(one, name, reading(name, original))


def seen(run_cli, command, *options):
    """What was found in each hook, in the order of the calls."""
    SEEN.clear()
    reads = ("--model", f"{HERE}.AlsoReads", "--name", "reads")
    if command == "fit":
        reads += (f"--trainer.callbacks+={HERE}.Reads",)
    fitted(run_cli(command, *reads, *options))
    return SEEN.copy()


def from_hook(found, hook):
    hooks = [one[0] for one in found]
    return found[hooks.index(hook) :]


def test_the_trainer_s_checkpoint_callbacks_are_lightning_s_in_every_hook(run_cli):
    first = seen(run_cli, "fit", "--trainer.max_epochs", "1")
    assert first[-1][0] == "on_fit_end"
    path = str((folder("reads") / "checkpoints" / "best.ckpt").resolve())
    for hook, one, *found in (first[0], *from_hook(first, "on_train_end")):
        assert isinstance(one, BestCheckpoint), hook
        score = results(folder("reads"))["best_val_acc"]
        assert found[:2] == (["", None] if hook == first[0][0] else [path, pytest.approx(score)])
    resumed = seen(run_cli, "fit", "--trainer.max_epochs", "2")
    assert {one[2:3] for one in from_hook(resumed, "on_fit_start")} == {(path,)}
    assert {one[3] is None for one in from_hook(resumed, "on_fit_start")} == {False}
    assert all(issubclass(kind, ModelCheckpoint) for one in first + resumed for kind in one[-1])
    for command in ("validate", "test"):
        for _, one, path, score, _ in seen(run_cli, command):
            assert (type(one), path, score) == (ModelCheckpoint, "", None)  # as of a new trainer


def test_a_user_s_own_checkpoint_callback_is_the_trainer_s(run_cli):
    own = callback("ModelCheckpoint", monitor="val_loss", dirpath="own")
    for epochs in ("1", "2"):
        for hook, one, *_ in seen(run_cli, "fit", *own, "--trainer.max_epochs", epochs):
            assert (type(one), one.monitor) == (ModelCheckpoint, "val_loss"), hook


def test_there_is_no_checkpoint_callback_where_nothing_is_saved(run_cli):
    found = seen(run_cli, "fit", "--trainer.enable_checkpointing", "false")
    assert {one[1:] == (None, set()) for one in found} == {True}


def test_the_trainer_s_checkpoint_callback_is_that_of_the_best(tmp_path):
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=checkpoints_of(Run(tmp_path)))
    assert isinstance(trainer.checkpoint_callback, BestCheckpoint)
    assert trainer.checkpoint_callback.best_model_path == ""


def test_a_score_that_is_no_number_is_never_the_best_nor_told(run_cli):
    fit = ("fit", *recipe("ScoresNaN"), "--trainer.max_epochs")
    output = fitted(run_cli(*fit, "1"))
    assert "the model logs no number as val_acc" in output
    place = folder("ScoresNaN")
    assert not (place / "checkpoints" / "best.ckpt").exists()
    output += fitted(run_cli(*fit, "3"))
    assert "best val_acc 0.5000 at epoch 1" in output
    assert (results(place)["best_epoch"], results(place)["best_val_acc"]) == (1, 0.5)
    status, text, problems = run_cli("validate", *recipe("ScoresNaN"))
    assert (status, "val_acc is not a number  val_loss 1.0000" in text) == (0, True)
    output += fitted(run_cli("test", *recipe("ScoresNaN"))) + text + problems
    assert results(place)["test_loss"] > 0  # that of the program's own predictions
    no_nan(output, (place / "metrics.csv").read_text(), (place / "results.json").read_text())


def test_a_run_of_which_lightning_counts_no_step_is_saved_within_its_epochs(run_cli, monkeypatch):
    fit = ("fit", *recipe("RawSteps"), STOP_AT, "--every_n_train_steps", "3")
    stopped(run_cli, monkeypatch, "8", *fit)
    saved = checkpoint("last", folder("RawSteps"))
    batches = saved["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"]
    assert (saved["global_step"], batches) == (0, 6)
