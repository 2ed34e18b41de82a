"""A data module and a script of your own: noise on the training images, Lightning's own Trainer.

python examples/my_script.py DATA_DIR
"""

import sys
from typing import Any

import torch
from lightning.pytorch import Trainer, seed_everything

from lit_mnist.data import MNISTDataModule
from lit_mnist.models import SimpleConvModule


class NoisyData(MNISTDataModule):
    """Adds noise to the training images; a resumed run draws the same."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Images are float (B, 1, 28, 28) in [0, 1] on their device."""
        batch = super().on_after_batch_transfer(batch, dataloader_idx)
        noise = 0.1 * torch.randn_like(batch.images) if batch.seed is not None else 0
        return batch.replace(images=(batch.images + noise).clamp(0, 1))


seed_everything(42)
trainer, model, data = Trainer(max_epochs=3), SimpleConvModule(), NoisyData(*sys.argv[1:])
trainer.fit(model, data)
trainer.test(model, data)
