"""Evaluation: the scores of a set of images, and a module that is validated, tested and asked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from lit_mnist.data.batches import Batch


class Scores(NamedTuple):
    """What is known of some images: their mean loss in nats and the share that was right."""

    loss: Tensor
    acc: Tensor


class RunningScores(Metric):
    """Adds up losses and correct answers over an epoch, on any number of ranks; one update a batch.

    torchmetrics' own classes would do it in five times as many operations, and its MeanMetric
    either stops the device to look for NaN or, with `nan_strategy="disable"`, forgets the weights
    (torchmetrics 1.9).
    """

    total: Tensor
    correct: Tensor
    count: Tensor
    finite_steps: Tensor  # batches before the sum of the losses was no number any more

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("finite_steps", torch.tensor(0), dist_reduce_fx="min")

    def update(self, logits: Tensor, labels: Tensor, total: Tensor) -> None:
        """Adds a batch: logits (B, 10), labels (B,) and the sum of the losses."""
        self.total += total.detach()
        self.correct += (logits.argmax(dim=1) == labels).sum()
        self.count += len(labels)
        self.finite_steps += self.total.isfinite()

    def compute(self) -> Scores:
        """Gives the scores since the last reset."""
        return Scores(self.total / self.count, self.correct / self.count)

    def partial_sums(self) -> list[Tensor]:
        """Gives this rank's sums, for a run that goes on within the epoch."""
        return [getattr(self, name).clone() for name in self._defaults]

    def load(self, kept: Sequence[Tensor]) -> None:
        """Takes up the sums that `partial_sums` gave."""
        for name, value in zip(self._defaults, kept, strict=True):
            getattr(self, name).copy_(value)


class ScoredModule(LightningModule):
    """Whatever gives logits (N, 10) for images (N, 1, 28, 28): a network, or a committee.

    Logs val_loss and val_acc, test_loss and test_acc. Losses are means over images, in nats;
    accuracies are the share of images, in [0, 1]. Whatever precision autocast sets for training,
    evaluation is in that of the weights: float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.val_scores = RunningScores()
        self.test_scores = RunningScores()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Names the class, for what is trained in Python; LightningCLI names it by itself."""
        kind = type(self)
        checkpoint["model_class"] = f"{kind.__module__}.{kind.__qualname__}"

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores a batch of held-out images."""
        self.score(batch, self.evaluate(batch), self.val_scores)

    def on_validation_epoch_end(self) -> None:
        """Logs the validation scores."""
        self.log_scores("val", self.val_scores)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores a batch of the test set and gives its probabilities (B, 10)."""
        logits = self.evaluate(batch)
        self.score(batch, logits, self.test_scores)
        return logits.softmax(dim=1)

    def on_test_epoch_end(self) -> None:
        """Logs the test scores."""
        self.log_scores("test", self.test_scores)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives probabilities (B, 10)."""
        return self.evaluate(batch).softmax(dim=1)

    def evaluate(self, batch: Batch) -> Tensor:
        """Gives logits (B, 10), without autocast."""
        with torch.autocast(self.device.type, enabled=False):
            return self(batch.images)

    def score(self, batch: Batch, logits: Tensor, scores: RunningScores) -> Tensor:
        """Gives the sum of the losses, and counts it and the correct answers for the epoch."""
        total = F.cross_entropy(logits.float(), batch.labels, reduction="sum")
        scores.update(logits, batch.labels, total)
        return total

    def log_scores(self, stage: str, scores: RunningScores) -> None:
        """Logs the scores of all ranks, and starts anew."""
        loss, acc = scores.compute()
        scores.reset()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_acc": acc})
