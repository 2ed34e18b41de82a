"""Nets, buffers and entries of a user's own."""

import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR
from torchmetrics.classification import MulticlassAccuracy

from lit_mnist.models import DenseModule


class LateLayer(DenseModule):
    """Creates a layer in `configure_model`."""

    def configure_model(self):
        if not hasattr(self, "last"):
            self.last = nn.Linear(10, 10)

    def forward(self, images):
        return self.last(super().forward(images))


class OddModule(DenseModule):
    """Has a complex weight, a mask of infinities and a count that is not a weight; logs by itself.

    Its noise is of Python's and NumPy's generators. After each batch it averages its weights.
    """

    class net_type(nn.Module):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__()
            self.filter = nn.Parameter(torch.ones(28, 15, dtype=torch.cfloat))
            self.last = nn.Linear(784, 10)
            self.register_buffer("mask", torch.zeros(10).index_fill(0, torch.tensor(9), -torch.inf))
            self.seen = 0

        def forward(self, images):
            self.seen += len(images) if self.training else 0
            kept = torch.fft.irfft2(torch.fft.rfft2(images) * self.filter, s=(28, 28))
            return self.last(kept.flatten(1)) / (1 + self.seen / 1e4) + self.mask.exp()

        def get_extra_state(self):
            return {"seen": self.seen, "of": "images"}

        def set_extra_state(self, state):
            self.seen = state["seen"]

    def __init__(self):
        super().__init__()
        self.right = MulticlassAccuracy(10, average="micro")
        self.register_buffer("average", torch.zeros(10))

    def on_train_epoch_start(self):
        self.log("started", float(self.current_epoch))

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.average.lerp_(self.net.last.bias.detach(), 0.1)

    def training_step(self, batch, batch_idx):
        noise = random.random() + np.random.rand()  # noqa: NPY002 # as users draw
        logits = self(batch.images + 0.1 * noise)
        loss = F.cross_entropy(logits, batch.labels)
        self.right(logits, batch.labels)
        self.log("train_acc", self.right, on_step=False, on_epoch=True)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("highest", loss, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("noise", noise, on_step=True, on_epoch=True)
        return loss


class LeavesAnEpoch(OddModule):
    """Ends its second epoch after four of its nine batches."""

    def on_train_batch_start(self, batch, batch_idx):
        return -1 if (self.current_epoch, batch_idx) == (1, 4) else None


class Late(DenseModule):
    """Creates a layer in `setup`, and saves an entry in checkpoints."""

    def setup(self, stage):
        self.last = nn.Linear(10, 10)

    def forward(self, images):
        return self.last(super().forward(images))

    def on_save_checkpoint(self, checkpoint):
        checkpoint["note"] = {"of": "its own"}

    def on_load_checkpoint(self, checkpoint):
        assert checkpoint["note"] == {"of": "its own"}

    def test_step(self, batch, batch_idx):
        return self(batch.images)  # logits, and nothing logged


class ChangesBatches(DenseModule):
    """Changes its images in a hook."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch.replace(images=1 - batch.images)


class NotKnownYet(DenseModule):
    """Has a buffer of which one number is not known yet."""

    def __init__(self):
        super().__init__()
        self.register_buffer("extremes", torch.tensor([torch.nan, 1.0]))


class FewLogits(DenseModule):
    """Fails at its first step."""

    def forward(self, images):
        return super().forward(images)[:, :3]


class SetsUpEpochs(DenseModule):
    """At an epoch's start, sets up what no checkpoint holds, and changes what they do hold."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(784, 16), nn.Dropout(0.5), nn.Linear(16, 10))

    def __init__(self):
        super().__init__()
        self.right, self.epochs = MulticlassAccuracy(10, average="micro"), 0
        self.register_buffer("begun", torch.zeros(()))

    def on_train_epoch_start(self):
        self.losses, self.net[2].p = [], 0.5 / (1 + self.current_epoch)
        self.right.reset()
        self.epochs += 1
        self.begun += random.random() + torch.rand(()).item()
        self.net[1].bias.requires_grad_(self.current_epoch != 1)
        self.optimizers().param_groups[0]["lr"] *= 0.9
        self.lr_schedulers().step()
        self.log("begun", float(self.epochs), reduce_fx="sum")

    def training_step(self, batch, batch_idx):
        logits = self(batch.images)
        loss = F.cross_entropy(logits, batch.labels) * self.epochs
        self.right.update(logits, batch.labels)
        self.losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self):
        self.log("right", self.right.compute())

    def on_save_checkpoint(self, checkpoint):
        checkpoint["epochs"] = self.epochs

    def on_load_checkpoint(self, checkpoint):
        self.epochs += checkpoint["epochs"]

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.002)
        return [adam], [CosineAnnealingLR(adam, T_max=20)]
