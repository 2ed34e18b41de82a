"""Modules of a user whose training depends on state that is easily lost at a resume."""

import random

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import MaxMetric, MetricCollection, MetricTracker, MinMaxMetric, RunningMean
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from lit_mnist.models import DenseModule


class ReadsMetrics(DenseModule):
    """Sets its rate by the last scores: of the validation, and of the epoch before."""

    def on_train_batch_start(self, batch, batch_idx):
        metrics = self.trainer.callback_metrics
        factor = metrics.get("val_acc", torch.tensor(0.5)) / metrics.get("train_loss", 1)
        for group in self.optimizers().param_groups:
            group["lr"] = 0.002 * float(factor)


class PatientPlateau(DenseModule):
    """A plateau of a value that not every epoch measures."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=0.01)
        plateau = ReduceLROnPlateau(adam, patience=0, factor=0.5)
        schedule = {"scheduler": plateau, "monitor": "val_loss", "strict": False}
        return {"optimizer": adam, "lr_scheduler": schedule}


class LogsLate(DenseModule):
    """Logs at the end of each batch."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        loss = outputs["loss"]
        for how in ("mean", "sum", "max", "min"):
            self.log(f"late_{how}", loss, on_step=False, on_epoch=True, reduce_fx=how, batch_size=1)


class CountsOn(DenseModule):
    """Has metrics that are never reset, and metrics that keep something beside their states."""

    def __init__(self):
        super().__init__(lr=0.05)
        self.best, self.recent = MaxMetric(), RunningMean(window=12)
        self.range = MinMaxMetric(MulticlassAccuracy(10, average="micro"))
        self.right = MulticlassAccuracy(10, average="micro")

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        logits = self(batch.images).detach()
        self.recent.update(loss.detach())
        self.range.update(logits, batch.labels)
        self.range.compute()
        self.right(logits, batch.labels)
        self.log("right", self.right, on_step=False, on_epoch=True)  # which resets it
        self.log("recent", self.recent.compute())
        return loss

    def on_validation_epoch_end(self):
        self.best.update(-self.trainer.callback_metrics["val_loss"])

    def on_train_epoch_end(self):
        self.log("best", self.best.compute())
        self.log_dict({f"range_{name}": value for name, value in self.range.compute().items()})


class Tracks(DenseModule):
    """Has a metric of each epoch, as torchmetrics' documentation does."""

    def __init__(self):
        super().__init__(lr=0.05)
        right = MulticlassAccuracy(10, average="micro")
        self.epochs = MetricTracker(right)
        self.both = MetricTracker(MetricCollection([right, MulticlassF1Score(10)]))

    def on_train_epoch_start(self):
        self.epochs.increment()
        self.both.increment()

    def training_step(self, batch, batch_idx):
        logits = self(batch.images).detach()
        self.epochs.update(logits, batch.labels)
        self.both.update(logits, batch.labels)
        return super().training_step(batch, batch_idx)

    def on_train_epoch_end(self):
        best, epoch = self.epochs.best_metric(return_step=True)
        values = {"right": self.epochs.compute(), "best_right": best, "best_at": float(epoch)}
        first = self.both.compute_all()["MulticlassF1Score"][0]
        self.log_dict(values | {"first": first} | self.both.best_metric())


class StartsAfresh(DenseModule):
    """Draws numbers, resets its metric and logs at the start of training."""

    def __init__(self):
        super().__init__()
        self.right = MulticlassAccuracy(10, average="micro")

    def on_train_start(self):
        self.shown = random.random() + np.random.rand()  # noqa: NPY002 # as users draw
        self.right.reset()
        self.log("began", 1.0, reduce_fx="sum")

    def training_step(self, batch, batch_idx):
        noise = random.random() + np.random.rand()  # noqa: NPY002 # likewise
        logits = self(batch.images + 0.1 * noise)
        self.right(logits, batch.labels)
        self.log("right", self.right, on_step=False, on_epoch=True)
        return nn.functional.cross_entropy(logits, batch.labels)


class StepsEveryOther(DenseModule):
    """Sums up the gradients of two batches in the hooks of automatic optimization."""

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure):
        if batch_idx % 2:
            optimizer.step(closure=optimizer_closure)
        else:
            optimizer_closure()

    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):
        if batch_idx % 2 == 0:
            optimizer.zero_grad()


class LooksAtBatches(DenseModule):
    """Passes over training batches by itself, at the start of training and after each epoch."""

    def on_train_start(self):
        self.mean_label()

    def on_train_epoch_end(self):
        self.log("mean_label", self.mean_label())

    def mean_label(self):
        return next(iter(self.trainer.datamodule.train_dataloader())).labels.float().mean()


class EvaluatesParts(DenseModule):
    """Puts its batch norm and its dropout in evaluation mode after the first epoch."""

    class net_type(nn.Sequential):  # as the attribute is called
        """A user's net."""

        def __init__(self):
            norm, dropout = nn.BatchNorm1d(16), nn.Dropout(0.5)
            super().__init__(nn.Flatten(), nn.Linear(784, 16), norm, dropout, nn.Linear(16, 10))

    def on_train_epoch_end(self):
        self.net[2].eval()
        self.net[3].eval()


class LogsNowAndThen(DenseModule):
    """Logs values in some steps only, in its step and in hooks, and optimizes by itself."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.right = MulticlassAccuracy(10, average="micro")

    def training_step(self, batch, batch_idx):
        loss = nn.functional.cross_entropy(self(batch.images), batch.labels)
        self.log("first", loss, on_step=True, on_epoch=True)
        if batch_idx % 4 == 0:
            self.right(self(batch.images).detach(), batch.labels)
            self.log("by_step", loss)
            self.log("of_both", loss, on_step=True, on_epoch=True, reduce_fx="max")
            self.log("right", self.right, on_step=True, on_epoch=True)
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log("last", loss)  # behind that of a hook: in an epoch's first batch, it resets others

    def on_before_optimizer_step(self, optimizer):
        self.log("rate", optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if batch_idx % 3 == 0:
            self.log("late", float(batch_idx), on_step=True)


class LogsTwice(DenseModule):
    """Logs a value several times in each batch, as the closure of LBFGS does."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        for count in range(3, 30):  # in float64, what is not divided is not rounded
            self.log("parts", loss.double() / count, on_step=False, on_epoch=True)
        return loss
