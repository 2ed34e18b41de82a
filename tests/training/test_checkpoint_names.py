"""A user's callbacks must not write or delete best.ckpt or last.ckpt, wherever they come from."""

import re
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule
from lit_mnist.runs.folder import Run
from lit_mnist.training import checkpoint_names
from lit_mnist.training.checkpointing import checkpoints_of
from tests.test_recipes import callback
from tests.trained import contents

RUN = Path("tb_logs/dense/seed_42")
HARMLESS = [{}, {"filename": "best", "dirpath": "own"}, {"save_last": True}]


def trainer(*callbacks, **options):
    return Trainer(accelerator="cpu", logger=False, callbacks=list(callbacks), **options)


@pytest.mark.parametrize("options", HARMLESS)
def test_other_names_are_not_refused(here, options):
    run = Run(here / "run")
    checkpoint_names.check(trainer(ModelCheckpoint(**options), *checkpoints_of(run)), run)


class Saving(DenseModule):
    """Brings its checkpoint along."""

    def configure_callbacks(self):
        return ModelCheckpoint("run/checkpoints", "best")


def test_one_of_the_module_is_refused_before_anything_is_written(here):
    run = Run(here / "run")
    data = DataLoader(TensorDataset(torch.rand(4, 1, 28, 28), torch.arange(4)), batch_size=2)
    with pytest.raises(UserError, match="change its filename or dirpath"):
        trainer(checkpoint_names.CheckpointNames(run), max_epochs=1).fit(Saving(), data)
    assert not run.best.exists()


class Rescuing(DenseModule):
    """Brings a callback that Lightning lets save at errors, and delete its file at the end."""

    def configure_callbacks(self):
        return OnExceptionCheckpoint("run/checkpoints", "last")


@pytest.mark.parametrize("command", ["fit", "validate"])
def test_what_would_delete_a_checkpoint_is_refused_and_leaves_it(here, command):
    run = Run(here / "run")
    run.last.parent.mkdir(parents=True)
    run.last.write_text("kept")
    data = DataLoader(TensorDataset(torch.rand(4, 1, 28, 28), torch.arange(4)), batch_size=2)
    call = getattr(trainer(checkpoint_names.CheckpointNames(run), max_epochs=1), command)
    with pytest.raises(UserError, match="change its filename or dirpath"):
        call(Rescuing(), data)
    assert run.last.read_text() == "kept"


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_an_exception_s_checkpoint_under_a_run_s_name_is_refused(fitted, run_cli, command):
    before = contents(Path("tb_logs"))
    options = callback("OnExceptionCheckpoint", dirpath=f"{RUN}/checkpoints", filename="last")
    images = ("--data.images", "x.png") if command == "predict" else ()
    for others in ((), ("--name", "another"), ("--trainer.fast_dev_run", "true")):
        status, _, problems = run_cli(command, *options, *images, *others)
        assert status == 2
        assert re.search(
            r"^error: OnException[^\n]+/last\.ckpt, which is [^\n]+\n\Z", problems, re.M
        )
    assert contents(Path("tb_logs")) == before
    own = trainer(OnExceptionCheckpoint(RUN / "checkpoints"))
    checkpoint_names.check(own, Run(RUN))


def test_a_last_one_that_may_be_saved_at_an_error_is_refused(here):
    run = Run(here / "run")
    saving = {"save_last": True, "save_on_exception": True}
    checkpoint_names.check(trainer(ModelCheckpoint("own", **saving)), run)
    with pytest.raises(UserError, match="change its save_last, save_on_exception or dirpath"):
        checkpoint_names.check(trainer(ModelCheckpoint(run.last.parent, **saving)), run)
