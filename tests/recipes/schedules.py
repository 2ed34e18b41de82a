"""Schedules of each kind and interval."""

import torch
from torch.nn import functional as F
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from lit_mnist.models import DenseModule


class Cosine(DenseModule):
    """A schedule stepped per epoch."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        return {"optimizer": adam, "lr_scheduler": CosineAnnealingLR(adam, T_max=4)}


class OneCycle(DenseModule):
    """A schedule stepped per step, its own loss, and hooks without super()."""

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch.images), batch.labels, label_smoothing=0.1)

    def on_train_epoch_end(self):
        """Does nothing."""

    def on_save_checkpoint(self, checkpoint):
        """Does nothing."""

    def configure_callbacks(self):
        return []

    def configure_optimizers(self):
        adam = torch.optim.AdamW(self.parameters(), lr=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = {"scheduler": OneCycleLR(adam, 0.01, total_steps=steps), "interval": "step"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class ShortCycle(DenseModule):
    """OneCycleLR over two epochs, regardless of the length of training."""

    def configure_optimizers(self):
        adam = torch.optim.AdamW(self.parameters())
        schedule = {"scheduler": OneCycleLR(adam, 0.01, total_steps=18), "interval": "step"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class WholeCosine(DenseModule):
    """A cosine schedule over the whole training."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        cosine = CosineAnnealingLR(adam, T_max=self.trainer.max_epochs)
        return {"optimizer": adam, "lr_scheduler": cosine}


class WholeSteps(DenseModule):
    """Lowers the rate in the middle of training."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        return [adam], [StepLR(adam, self.trainer.max_epochs // 2)]


class WholeLine(DenseModule):
    """Lowers the rate to zero, step by step, by a function."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters())
        steps = self.trainer.estimated_stepping_batches
        line = LambdaLR(adam, lambda step: 1 - step / steps)
        return [adam], [{"scheduler": line, "interval": "step"}]


class StepPlateau(DenseModule):
    """PyTorch's plateau schedule, stepped with the training loss of each batch."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        plateau = ReduceLROnPlateau(adam, factor=0.9, patience=1)
        schedule = {"scheduler": plateau, "interval": "step", "monitor": "loss"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class EpochPlateau(DenseModule):
    """PyTorch's plateau schedule, stepped per epoch although the loss falls."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        plateau = ReduceLROnPlateau(adam, mode="max", factor=0.5, patience=0)
        schedule = {"scheduler": plateau, "monitor": "val_loss"}
        return {"optimizer": adam, "lr_scheduler": schedule}


class SetsUpItsSchedule(DenseModule):
    """Computes in `setup` what its optimizer and schedule need, as Lightning's own examples do."""

    def setup(self, stage):
        self.groups = [{"params": list(self.net.parameters())}]
        self.length = 2 * self.trainer.max_epochs

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.groups, lr=0.002)
        return [adam], [CosineAnnealingLR(adam, self.length)]
