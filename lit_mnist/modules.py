"""The LightningModules: one small subclass an architecture around one training recipe.

The recipe is the notebook's: cross-entropy, Adam as Keras sets it, and the plateau schedule.
"""

from typing import Any, NamedTuple

import torch
from jsonargparse.typing import OpenUnitInterval, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam
from torchmetrics import Metric

from lit_mnist.batches import Batch
from lit_mnist.nets import DeepConv, Dense, SimpleConv
from lit_mnist.plateau import Plateau
from lit_mnist.workarounds import PlateauBeforeCheckpoint


class Scores(NamedTuple):
    """What is known of some images: their mean loss in nats and the share that was right."""

    loss: Tensor
    acc: Tensor


class RunningScores(Metric):
    """Adds up loss and hits over an epoch, on any number of ranks; one update a batch.

    torchmetrics' own classes would do it in five times as many operations, and its MeanMetric
    either stops the device to look for NaN or, with `nan_strategy="disable"`, forgets the weights
    (torchmetrics 1.9).
    """

    total: Tensor
    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("hits", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Tensor, labels: Tensor, total: Tensor) -> None:
        """Adds a batch: logits (B, 10), labels (B,) and the sum of the losses."""
        self.total += total.detach()
        self.hits += (logits.argmax(dim=1) == labels).sum()
        self.count += len(labels)

    def compute(self) -> Scores:
        """Gives the scores since the last reset."""
        return Scores(self.total / self.count, self.hits / self.count)


class ClassifierModule(PlateauBeforeCheckpoint):
    """Trains and scores one network; a subclass names it in `net_type` and is complete.

    Logs train_loss, train_acc, val_loss, val_acc and lr once an epoch, test_loss and test_acc in a
    test. Losses are means over images, in nats; accuracies are the share of images, in [0, 1].
    Whatever precision it is trained in, it is evaluated in that of its weights: float32.

    Args:
        lr: Adam's learning rate, at the start if there is a plateau schedule.
        plateau: Whether to lower the rate when validation accuracy stops rising.
        patience: Epochs without improvement, the last of which lowers the rate (Keras' count).
        factor: What the rate is multiplied by.
        min_lr: The rate is never set below this.
        channels_last: Whether a pixel's channels lie side by side in memory. If it isn't said, fit
            on the command line chooses what is faster on the machine.
        compile: Whether to compile the network with torch.compile: for GPUs; CPUs lose by it.
    """

    net_type: type[nn.Module]

    def __init__(
        self,
        lr: PositiveFloat = 1e-3,
        plateau: bool = False,
        patience: PositiveInt = 3,
        factor: OpenUnitInterval = 0.5,
        min_lr: PositiveFloat = 1e-5,
        channels_last: bool | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = self.net_type()
        if channels_last:
            self.net.to(memory_format=torch.channels_last)
        if compile:
            self.net.compile()  # in place, so that the names in checkpoints stay as they are
        self.train_scores = RunningScores()
        self.val_scores = RunningScores()
        self.test_scores = RunningScores()

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""
        return self.net(images.to(self.dtype))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives the batch's loss, scaled so that the mean over ranks is the mean over images."""
        return self._score(batch, self(batch.images), self.train_scores) / batch.share

    def on_train_epoch_end(self) -> None:
        """Logs the epoch and steps the schedule, before the epoch's checkpoint is written."""
        self._log_scores("train", self.train_scores)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.step_plateau()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores a batch of held-out images."""
        self._score(batch, self._evaluate(batch), self.val_scores)

    def on_validation_epoch_end(self) -> None:
        """Logs the validation scores."""
        self._log_scores("val", self.val_scores)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores a batch of the test set and gives its probabilities (B, 10)."""
        logits = self._evaluate(batch)
        self._score(batch, logits, self.test_scores)
        return logits.softmax(dim=1)

    def on_test_epoch_end(self) -> None:
        """Logs the test scores."""
        self._log_scores("test", self.test_scores)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives probabilities (B, 10)."""
        return self._evaluate(batch).softmax(dim=1)

    def configure_optimizers(self) -> Any:
        """Gives Adam with Keras' epsilon and, if asked for, the plateau schedule."""
        optimizer = Adam(self.parameters(), lr=self.hparams["lr"], eps=1e-7, fused=True)
        if not self.hparams["plateau"]:
            return optimizer
        options = {name: self.hparams[name] for name in ("patience", "factor", "min_lr")}
        # `strict` off: without validation there is nothing to wait for, and training goes on
        schedule = {"scheduler": Plateau(optimizer, **options), "monitor": "val_acc"}
        return {"optimizer": optimizer, "lr_scheduler": schedule | {"strict": False}}

    def _evaluate(self, batch: Batch) -> Tensor:
        """Gives logits (B, 10), without autocast."""
        with torch.autocast(self.device.type, enabled=False):
            return self(batch.images)

    def _score(self, batch: Batch, logits: Tensor, scores: RunningScores) -> Tensor:
        """Gives the sum of the losses, and counts losses and hits for the epoch."""
        total = F.cross_entropy(logits.float(), batch.labels, reduction="sum")
        scores.update(logits, batch.labels, total)
        return total

    def _log_scores(self, stage: str, scores: RunningScores) -> None:
        loss, acc = scores.compute()  # of all ranks
        scores.reset()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_acc": acc})


class DenseModule(ClassifierModule):
    """System 1 of the notebook: two hidden layers (535,818 parameters)."""

    net_type = Dense


class SimpleConvModule(ClassifierModule):
    """Systems 2 to 5: two convolutions and one hidden layer (128,924 parameters)."""

    net_type = SimpleConv


class DeepConvModule(ClassifierModule):
    """System 6: four convolutions and one hidden layer (887,530 parameters)."""

    net_type = DeepConv
