"""The LightningModules: one small subclass an architecture around one training recipe.

The recipe is the notebook's: cross-entropy, Adam as Keras sets it, and the plateau schedule.
"""

from typing import Any

import torch
from jsonargparse.typing import OpenUnitInterval, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from lit_mnist.batches import Batch
from lit_mnist.nets import CLASSES, DeepConv, Dense, SimpleConv
from lit_mnist.plateau import Plateau
from lit_mnist.workarounds import PlateauBeforeCheckpoint


class MeanLoss(Metric):
    """The mean of a loss over images, on any number of ranks.

    torchmetrics' own MeanMetric either searches each value for NaN, which stops the device, or,
    with `nan_strategy="disable"`, forgets the weights (torchmetrics 1.9).
    """

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, total: Tensor, count: int) -> None:
        """Adds the sum of the losses of `count` images."""
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """Gives the mean since the last reset."""
        return self.total / self.count


class ClassifierModule(PlateauBeforeCheckpoint):
    """Trains and scores one network; a subclass names it in `net_type` and is complete.

    Logs train_loss, train_acc, val_loss, val_acc and lr once an epoch, test_loss and test_acc in a
    test. Losses are means over images, in nats; accuracies are the share of images, in [0, 1].

    Args:
        lr: Adam's learning rate, at the start if there is a plateau schedule.
        plateau: Whether to lower the rate when validation accuracy stops rising.
        patience: Epochs without improvement, the last of which lowers the rate (Keras' count).
        factor: What the rate is multiplied by.
        min_lr: The rate is never set below this.
    """

    net_type: type[nn.Module]

    def __init__(
        self,
        lr: PositiveFloat = 1e-3,
        plateau: bool = False,
        patience: PositiveInt = 3,
        factor: OpenUnitInterval = 0.5,
        min_lr: PositiveFloat = 1e-5,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = self.net_type()
        scores: dict[str, Metric | MetricCollection] = {}
        for stage in ("train", "val", "test"):
            # Unchecked, because checking each batch's values costs more than counting the hits
            accuracy = MulticlassAccuracy(CLASSES, average="micro", validate_args=False)
            scores |= {f"{stage}_loss": MeanLoss(), f"{stage}_acc": accuracy}
        self.scores = MetricCollection(scores, compute_groups=False)

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""
        return self.net(images)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives the batch's loss, scaled so that the mean over ranks is the mean over images."""
        total = self._step(batch, "train")[1]
        return total / batch.share

    def on_train_epoch_end(self) -> None:
        """Logs the epoch and steps the schedule, before the epoch's checkpoint is written."""
        self._log_scores("train")
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.step_plateau()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores a batch of held-out images."""
        self._step(batch, "val")

    def on_validation_epoch_end(self) -> None:
        """Logs the validation scores."""
        self._log_scores("val")

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores a batch of the test set and gives its probabilities (B, 10)."""
        return self._step(batch, "test")[0].softmax(dim=1)

    def on_test_epoch_end(self) -> None:
        """Logs the test scores."""
        self._log_scores("test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives probabilities (B, 10)."""
        return self(batch.images).softmax(dim=1)

    def configure_optimizers(self) -> Any:
        """Gives Adam with Keras' epsilon and, if asked for, the plateau schedule."""
        optimizer = Adam(self.parameters(), lr=self.hparams["lr"], eps=1e-7, fused=True)
        if not self.hparams["plateau"]:
            return optimizer
        options = {name: self.hparams[name] for name in ("patience", "factor", "min_lr")}
        # `strict` off: without validation there is nothing to wait for, and training goes on
        schedule = {"scheduler": Plateau(optimizer, **options), "monitor": "val_acc"}
        return {"optimizer": optimizer, "lr_scheduler": schedule | {"strict": False}}

    def _step(self, batch: Batch, stage: str) -> tuple[Tensor, Tensor]:
        """Gives logits (B, 10) and the sum of the losses, and counts both for the epoch."""
        logits = self(batch.images)
        total = F.cross_entropy(logits, batch.labels, reduction="sum")
        if len(batch.labels):
            self.scores[f"{stage}_acc"].update(logits, batch.labels)
            self.scores[f"{stage}_loss"].update(total.detach(), len(batch.labels))
        return logits, total

    def _log_scores(self, stage: str) -> None:
        for kind in ("loss", "acc"):
            self.log(f"{stage}_{kind}", self.scores[f"{stage}_{kind}"])


class DenseModule(ClassifierModule):
    """System 1 of the notebook: two hidden layers (535,818 parameters)."""

    net_type = Dense


class SimpleConvModule(ClassifierModule):
    """Systems 2 to 5: two convolutions and one hidden layer (128,924 parameters)."""

    net_type = SimpleConv


class DeepConvModule(ClassifierModule):
    """System 6: four convolutions and one hidden layer (887,530 parameters)."""

    net_type = DeepConv
