"""Evaluation: loss and accuracy, and the validation, test and prediction steps of a module."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from lit_mnist.data.as_batch import UNKNOWN, as_batch
from lit_mnist.data.batches import Batch
from lit_mnist.models import answers
from lit_mnist.models.logits import checked, exact
from lit_mnist.runs import entries


class Scores(NamedTuple):
    """Mean loss, in nats, and accuracy, in [0, 1], of a set of images."""

    loss: Tensor
    acc: Tensor


class RunningScores(Metric):
    """Sums losses and correct predictions over an epoch, on any number of ranks.

    torchmetrics' own classes need five times as many operations, and its MeanMetric either
    synchronises the device to look for NaN or, with `nan_strategy="disable"`, ignores the weights
    (torchmetrics 1.9). Sums are float32 whatever the dtype of the module: in bfloat16, a sum of
    losses would stop growing at a few hundred.
    """

    total: Tensor
    correct: Tensor
    count: Tensor
    finite_steps: Tensor  # batches before the sum of losses became NaN or infinite
    unanswered: Tensor  # images of which only the loss is known

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("finite_steps", torch.tensor(0), dist_reduce_fx="min")
        self.add_state("unanswered", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Tensor | None, labels: Tensor, total: Tensor) -> None:
        """Adds a batch: logits (B, 10) if known, labels (B,), and the sum of its losses."""
        # add_ in place: `+=` would also set attributes of a module, which takes longer than adding
        self.total.add_(total.detach())
        if logits is None:
            self.unanswered.add_(len(labels))
        else:
            self.correct.add_((logits.argmax(dim=1) == labels).sum())
        self.count.add_(len(labels))
        self.finite_steps.add_(self.total.isfinite())

    def compute(self) -> Scores:
        """Returns the scores since the last reset; the accuracy is NaN if it is not known."""
        return Scores(self.total / self.count, self.correct / (self.count - self.unanswered))

    def partial_sums(self) -> dict[str, Tensor]:
        """Returns this rank's sums, for a run that is resumed within the epoch."""
        return {name: getattr(self, name).clone() for name in self._defaults}

    def load(self, partial: Mapping[str, Tensor]) -> None:
        """Restores the sums that `partial_sums` gave."""
        for name, value in partial.items():
            getattr(self, name).copy_(value)

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> Self:
        super()._apply(lambda value: fn(value).to(value.dtype), exclude_state)
        return self


class Score(Metric):
    """One of the running scores as a metric, which Lightning logs, computes and resets by itself.

    Args:
        scores: The running sums.
        name: A field of `Scores`.
    """

    full_state_update = False

    def __init__(self, scores: RunningScores, name: str) -> None:
        super().__init__()
        self.scores, self.name = scores, name

    def update(self) -> None:
        """Tells torchmetrics that there is something to compute."""

    def compute(self) -> Tensor:
        """Returns the score over the images of all ranks."""
        return getattr(self.scores.compute(), self.name)

    def reset(self) -> None:
        """Resets the sums for a new epoch."""
        super().reset()
        self.scores.reset()


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
        return logits.softmax(dim=1)

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
        total = F.cross_entropy(logits.float(), batch.labels, reduction="sum")
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
