"""Evaluation: loss and accuracy, and the validation, test and prediction steps of a module."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from lit_mnist.data.as_batch import UNKNOWN, as_batch
from lit_mnist.data.batches import Batch
from lit_mnist.models import answers
from lit_mnist.models.logits import checked, exact
from lit_mnist.models.running_scores import RunningScores, Score, Scores
from lit_mnist.runs import entries


class ScoredModule(LightningModule):
    """A module that maps images (N, 1, 28, 28) to logits (N, 10): one network, or a committee.

    Logs val_loss and val_acc, test_loss and test_acc. Losses are means over images, in nats;
    accuracies are fractions of the images, in [0, 1]. Evaluation is without autocast, in the
    precision of the weights: float32. Batches are those of `MNISTDataModule`, or images and labels
    from any loader.
    """

    def __init__(self) -> None:
        super().__init__()
        self.val_scores, self.test_scores = RunningScores(), RunningScores()
        for stage in ("val", "test"):
            self.add_scores(stage)

    def add_scores(self, stage: str) -> None:
        """Adds metrics for the loss and the accuracy of `<stage>_scores`, for Lightning to log."""
        scores = getattr(self, f"{stage}_scores")
        for name in Scores._fields:
            setattr(self, f"_{stage}_{name}", Score(scores, name))  # val_acc is free for a user's

    def lay_out(self) -> None:
        """Does what needs the sizes of all layers; called once they are known."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Stores the class's name, as LightningCLI does by itself, and a user's net's answers."""
        kind = type(self)
        checkpoint[entries.MODEL_CLASS] = f"{kind.__module__}.{kind.__qualname__}"
        answers.store(self, checkpoint)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores a batch of held-out images and returns its probabilities (B, 10)."""
        batch = as_batch(batch)
        self.log_scores("val", batch_idx)
        logits = self.evaluate_held_out(batch)
        self.score(batch, logits, self.val_scores)
        return logits.softmax(dim=1)  # bit for bit as in a test (reports/held_out)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores a batch of the test set and returns its probabilities (B, 10)."""
        batch = as_batch(batch)
        self.log_scores("test", batch_idx)
        logits = self.evaluate(batch)
        self.score(batch, logits, self.test_scores)
        return logits.softmax(dim=1)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns probabilities (B, 10)."""
        return self.evaluate(as_batch(batch)).softmax(dim=1)

    def evaluate(self, batch: Batch) -> Tensor:
        """Computes logits (B, 10) without autocast, in float32 at least.

        Raises:
            UserError: `forward` returns something else.
        """
        with torch.autocast(self.device.type, enabled=False):
            count = batch.images.shape[0]  # not len(), a constant to torch.export
            logits = checked(self(batch.images), count, self)
        return exact(logits)

    def evaluate_held_out(self, batch: Batch) -> Tensor:
        """Computes logits (B, 10) of images that were held out of training."""
        return self.evaluate(batch)

    def score(self, batch: Batch, logits: Tensor, scores: RunningScores) -> Tensor:
        """Adds a batch to the epoch's scores and returns the sum of its losses.

        Raises:
            UserError: `logits` are no logits (B, 10).
        """
        logits = checked(logits, len(batch.images), self)
        total = F.cross_entropy(exact(logits), batch.labels, reduction="sum")
        known = batch.labels
        if not self.training:  # which NaN ends; its argmax would be class 0
            known = known.masked_fill(logits.isnan().any(dim=1), UNKNOWN)
        scores.update(logits, known, total)
        return total

    def log_scores(self, stage: str, batch_idx: int) -> None:
        """Makes Lightning log the scores at the epoch's end; call it first in each step."""
        if self._trainer is None:  # a step called by hand
            return
        for name in Scores._fields:
            metric: Score = getattr(self, f"_{stage}_{name}")
            if batch_idx == 0 and _is_new(self.trainer, metric):
                metric.reset()  # from an epoch that was interrupted
            if not metric.update_called:  # once an epoch suffices
                metric.update()
                self.log(f"{stage}_{name}", metric, on_step=False, on_epoch=True)


def _is_new(trainer: Trainer, metric: Metric) -> bool:
    """Whether this evaluation hasn't logged a metric yet; `TrainLog` resets those of training."""
    results = trainer._results
    if results is None or trainer.training:
        return False
    return all(one.value is not metric for _, one in results.valid_items() if not one.is_tensor)
