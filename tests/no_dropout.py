"""Modules without randomness, for comparing numbers of ranks."""

from lightning.pytorch.callbacks import BaseFinetuning
from torch import nn
from torch.nn import functional as F

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
    """Logs the scores of validation by itself: the loss over all ranks, the accuracy on each."""

    net_type = Hidden

    def validation_step(self, batch, batch_idx):
        logits = self(batch.images)
        self.log("val_loss", F.cross_entropy(logits, batch.labels), sync_dist=True)
        self.log("val_acc", (logits.argmax(dim=1) == batch.labels).float().mean())


class Unfreeze(BaseFinetuning):
    """Trains the first layer in the second epoch alone."""

    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.net[1])

    def finetune_function(self, pl_module, epoch, optimizer):
        pl_module.net[1].requires_grad_(epoch == 1)
