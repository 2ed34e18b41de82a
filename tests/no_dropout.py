"""Modules without randomness, for comparing numbers of ranks."""

from lightning.pytorch.callbacks import BaseFinetuning
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lit_mnist.models.modules import ClassifierModule


class Linear(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))


class LinearModule(ClassifierModule):
    net_type = Linear


class Hidden(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))


class OwnScores(ClassifierModule):
    """Logs the scores of validation by itself: the loss over all ranks, the accuracy on each.

    Its rate goes by the loss of each step, which is logged on each rank alone.
    """

    net_type = Hidden

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        adam = super().configure_optimizers()
        plateau = ReduceLROnPlateau(adam, factor=0.9, patience=0)
        schedule = {"scheduler": plateau, "interval": "step", "monitor": "loss"}
        return {"optimizer": adam, "lr_scheduler": schedule}

    def validation_step(self, batch, batch_idx):
        logits = self(batch.images)
        self.log("val_loss", F.cross_entropy(logits, batch.labels), sync_dist=True)
        self.log("val_acc", (logits.argmax(dim=1) == batch.labels).float().mean())


class Unfreeze(BaseFinetuning):
    """Trains the first layer in the second epoch, and again from the middle of the third on."""

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.net[1])

    def finetune_function(self, pl_module, epoch, optimizer):
        pl_module.net[1].requires_grad_(epoch == 1)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (2, 4):
            pl_module.net[1].requires_grad_(True)
