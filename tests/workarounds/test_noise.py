"""Which of Lightning's warnings are hidden."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, model_checkpoint
from lightning.pytorch.trainer.call import _call_callbacks_on_load_checkpoint
from lightning.pytorch.utilities import data

from lit_mnist.data.batches import Batch
from lit_mnist.workarounds.noise import quiet
from tests.fitting import callback, fitted


class EpochCheckpoint(ModelCheckpoint):
    """As version 0.1.0 had it, whose state key is that of its class."""


class Users(ModelCheckpoint):
    """A user's own."""


BEST = EpochCheckpoint(monitor="val_acc", mode="max").state_key
LAST = EpochCheckpoint(monitor=None).state_key


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ([BEST, LAST, "History"], False),  # of version 0.1.0
        (["Timer", LAST, BEST], False),
        (["metrics", "best", "last"], False),
        ([EpochCheckpoint(monitor="val_loss").state_key], True),  # a user's, of that name
        ([BEST, LAST, Users(monitor="val_acc", mode="max").state_key], True),
        (["Users"], True),
    ],
)
def test_a_callback_that_a_resume_lacks_is_told_only_if_it_is_a_user_s(recwarn, missing, told):
    trainer = Trainer(accelerator="cpu", logger=False, barebones=True)
    trainer.strategy.connect(LightningModule())
    recwarn.clear()
    saved = {"callbacks": {key: {} for key in missing}, "pytorch-lightning_version": "2.6.0"}
    with quiet():
        _call_callbacks_on_load_checkpoint(trainer, saved)
    assert [str(one.message)[:8] for one in recwarn] == ["Be aware"] * told


NOT_EMPTY = "exists and is not empty"


@pytest.fixture
def told(run_cli, recwarn):
    """Trains; gives how often the user was told something."""

    def call(text, *options):
        model_checkpoint.warning_cache.clear()  # or it is told once a process
        recwarn.clear()
        fitted(run_cli("fit", *options))
        return sum(text in str(one.message) for one in recwarn)

    return call


@pytest.mark.parametrize("place", ["mine/checkpoints", "mine/others"])
def test_a_users_own_folder_that_is_not_empty_is_told(told, place):
    Path(place).mkdir(parents=True)
    Path(place, "x.ckpt").touch()
    assert told(NOT_EMPTY, *callback("ModelCheckpoint", dirpath=place)) == 1


@pytest.mark.parametrize("log_dir", ["tb_logs", "./logs"])
def test_the_run_s_own_folder_is_not_empty_in_any_resume(told, log_dir):
    options = ("--log_dir", log_dir, *callback("ModelCheckpoint", filename="third"))
    assert told(NOT_EMPTY, *options) == 0
    assert told(NOT_EMPTY, *options, "--trainer.max_epochs", "4") == 0


@pytest.mark.parametrize("monitor", [None, "val_acc", "val_loss"])
def test_a_users_checkpoint_that_finds_no_score_is_told_and_no_other(told, monitor):
    own = callback("ModelCheckpoint", monitor=monitor, dirpath="mine") if monitor else ()
    times = told("could not find the monitored key", *own, "--trainer.limit_val_batches", "0")
    assert times == bool(monitor)


def test_batches_of_which_lightning_cannot_tell_the_size_are_told(recwarn):
    images, labels = torch.zeros(4, 1, 28, 28), torch.zeros(4, dtype=torch.long)
    data.warning_cache.clear()
    with quiet():
        assert data.extract_batch_size(Batch(images, labels, labels, 3.5, seed=1)) == 4
        assert not recwarn.list
        assert data.extract_batch_size({"pairs": images[:2], "labels": labels}) == 2
    assert "ambiguous collection" in str(recwarn.pop(UserWarning).message)
