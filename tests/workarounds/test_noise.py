"""Which of Lightning's warnings are hidden."""

import pytest
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.call import _call_callbacks_on_load_checkpoint

from lit_mnist.workarounds.noise import quiet


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
