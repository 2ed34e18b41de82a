"""A user's ModelCheckpoint must not write best.ckpt or last.ckpt, wherever it comes from."""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule
from lit_mnist.runs.folder import Run
from lit_mnist.training import checkpoint_names
from lit_mnist.training.checkpointing import checkpoints_of
from lit_mnist.training.run_folder import RunFolder

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
        trainer(RunFolder(run, {}, fresh=True), max_epochs=1).fit(Saving(), data)
    assert not run.best.exists()
