"""Searches for a learning rate, and what follows them."""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LearningRateFinder
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.models.modules import DenseModule
from lit_mnist.training.searched import Searched


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
