"""Schedules after a search for a learning rate."""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LearningRateFinder
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.models.modules import DenseModule
from lit_mnist.training.searched import Searched


@pytest.mark.filterwarnings("ignore:Skipping learning rate finder")
def test_a_search_that_is_skipped_changes_no_rate():
    data = TensorDataset(torch.rand(4, 1, 28, 28), torch.arange(4))
    model = DenseModule(lr=0.02, one_cycle=True)
    trainer = Trainer(
        accelerator="cpu",
        fast_dev_run=True,
        callbacks=[LearningRateFinder(), Searched()],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(data, batch_size=2), DataLoader(data, batch_size=2))
    assert trainer.global_step == 1
    assert trainer.optimizers[0].param_groups[0]["max_lr"] == 0.02
