"""A user's callbacks must not write or delete best.ckpt or last.ckpt, wherever they come from."""

import json
import re
from contextlib import nullcontext
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
from tests.conftest import equal_weights
from tests.fitting import callback
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


@pytest.mark.parametrize("options", [{}, {"save_weights_only": True}, {"save_on_exception": True}])
@pytest.mark.parametrize("place", ["run", "other"])
def test_the_last_one_of_save_last_gets_another_name_in_a_run_s_folder(here, place, options):
    run, other = Run(here / "run"), Run(here / "other")
    other.update_results(status="complete")
    one = ModelCheckpoint(Run(here / place).last.parent, save_last=True, **options)
    for _ in range(2):  # of the options, and again of the module
        checkpoint_names.check(trainer(one), run)
        assert one.CHECKPOINT_NAME_LAST == "last-v1"
    assert ModelCheckpoint.CHECKPOINT_NAME_LAST == "last"


@pytest.mark.parametrize(
    ("dirpath", "filename", "refused"),
    [
        ("other/checkpoints", "best", True),
        ("other/checkpoints", "last", True),
        ("other", "checkpoints/last", True),
        ("none/checkpoints", "best", False),
        ("other/mine", "best", False),
        ("link", "best", True),
        (None, "mine/best", False),
    ],
)
def test_names_of_another_run_s_checkpoints_are_refused(here, dirpath, filename, refused):
    run, other = Run(here / "run"), Run(here / "other")
    other.update_results(status="complete")
    other.best.parent.mkdir()
    Path("link").symlink_to(other.best.parent)
    told = pytest.raises(UserError, match=rf"/{Path(filename).name}\.ckpt, which is this")
    with told if refused else nullcontext():
        checkpoint_names.check(trainer(ModelCheckpoint(dirpath, filename)), run)


class LastAsBest(ModelCheckpoint):
    """Calls its last checkpoint as the program calls its best."""

    CHECKPOINT_NAME_LAST = "best"


@pytest.mark.parametrize(
    "kind", ["lightning.pytorch.callbacks.ModelCheckpoint", f"{__name__}.LastAsBest"]
)
def test_a_run_with_save_last_that_max_steps_cuts_short_goes_on_exactly(run_cli, kind):
    saving = callback(kind, save_last="true", monitor="val_loss", mode="max")
    saving += ["--trainer.callbacks.enable_version_counter", "false"]
    limits = ("--trainer.max_epochs", "3", "--trainer.max_steps")
    for name, steps in (("parts", (5, 14, 23)), ("whole", (23,))):
        for step in steps:
            assert run_cli("fit", *saving, "--name", name, *limits, str(step))[0] == 0
    first, second = (Path("tb_logs", name, "seed_42") for name in ("parts", "whole"))
    assert equal_weights(first, second, "last")
    for place in (first, second):
        best = torch.load(place / "checkpoints" / "best.ckpt", weights_only=True)
        assert best["epoch"] == json.loads((place / "results.json").read_text())["best_epoch"]
