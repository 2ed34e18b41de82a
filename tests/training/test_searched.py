"""Searches for a learning rate, and what follows them."""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.models.modules import DenseModule
from lit_mnist.training.searched import Searched
from tests.conftest import SMALL


class Finding(DenseModule):
    """Brings its finder along."""

    def configure_callbacks(self):
        return LearningRateFinder(num_training_steps=2, early_stop_threshold=None)


def fit(model, ckpt_path=None, **options):
    """Trains on two batches an epoch; returns the trainer."""
    data = DataLoader(TensorDataset(torch.rand(4, 1, 28, 28), torch.arange(4)), batch_size=2)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(model, data, data, ckpt_path=ckpt_path)
    return trainer


@pytest.mark.filterwarnings("ignore:Skipping learning rate finder")
def test_a_search_that_is_skipped_changes_no_rate():
    model = DenseModule(lr=0.02, one_cycle=True)
    trainer = fit(model, fast_dev_run=True, callbacks=[LearningRateFinder(), Searched()])
    assert trainer.global_step == 1
    assert trainer.optimizers[0].param_groups[0]["max_lr"] == 0.02


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_a_finder_of_the_module_does_not_search_in_a_resumed_run(here, capsys):
    fit(DenseModule(), max_epochs=1).save_checkpoint("one.ckpt")
    searched = Searched()
    searched.resumes = True
    trainer = fit(Finding(), "one.ckpt", max_epochs=2, callbacks=[searched])
    assert "LearningRateFinder: searches only in a new run" in capsys.readouterr().out
    assert (trainer.current_epoch, trainer.global_step) == (2, 4)
    assert trainer.optimizers[0].param_groups[0]["lr"] == 1e-3


class LaterRate(LearningRateFinder):
    """Searches before the second epoch, as in Lightning's documentation, too; notes when it did."""

    def __init__(self):
        super().__init__()
        self.searched = []

    def on_fit_start(self, trainer, module):
        super().on_fit_start(trainer, module)
        self.optimal_lr.suggestion()  # there is none in a resumed run

    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == 1:
            self.lr_find(trainer, module)

    def lr_find(self, trainer, module):
        self.searched.append(trainer.current_epoch)


class LaterSize(BatchSizeFinder):
    """Searches before the first epoch."""

    def on_fit_start(self, *_):
        pass

    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == 0:
            self.scale_batch_size(trainer, module)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_a_finder_that_searches_later_does_so_in_a_resumed_run(here, capsys):
    fit(DenseModule(), max_epochs=1).save_checkpoint("one.ckpt")
    finder, searched = LaterRate(), Searched()
    searched.resumes = True
    fit(DenseModule(), "one.ckpt", max_epochs=2, callbacks=[finder, searched])
    assert finder.searched == [1]
    assert "LaterRate: its on_fit_start is called only in a new run" in capsys.readouterr().out
    assert "on_fit_start" not in vars(finder)


def test_the_size_that_was_found_at_an_epoch_s_start_is_restored(small_data, here):
    options = {"max_epochs": 1, "logger": False, "enable_progress_bar": False}
    options |= {"accelerator": "cpu", "enable_model_summary": False, "limit_val_batches": 1}
    finder = {"steps_per_trial": 1, "max_trials": 2, "init_val": 20}
    data = MNISTDataModule(str(small_data), SMALL, batch_size=86)
    first = Trainer(**options, callbacks=[LaterSize(**finder), Searched()])
    first.fit(DenseModule(), data)
    assert data.batch_size == 40
    first.save_checkpoint("one.ckpt")
    searched, data = Searched(), MNISTDataModule(str(small_data), SMALL, batch_size=86)
    searched.resumes = True
    options["max_epochs"] = 2
    again = Trainer(**options, callbacks=[LaterSize(**finder), searched])
    again.fit(DenseModule(), data, ckpt_path="one.ckpt")
    assert data.batch_size == 40
    assert again.global_step == 2 * first.global_step
