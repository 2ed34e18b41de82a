"""Evaluation: the scores of a set of images, and a module that is validated, tested and asked."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

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
    (torchmetrics 1.9). Sums are in float32 whatever the type of the module's weights: in bfloat16
    a sum of losses would stop growing at a few hundred.
    """

    total: Tensor
    correct: Tensor
    count: Tensor
    finite_steps: Tensor  # batches before the sum of the losses was no number any more
    unanswered: Tensor  # images of which the loss alone is known

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("finite_steps", torch.tensor(0), dist_reduce_fx="min")
        self.add_state("unanswered", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Tensor | None, labels: Tensor, total: Tensor) -> None:
        """Adds a batch: logits (B, 10) if they are known, labels (B,), the sum of the losses."""
        # In place by name: `+=` would set attributes of a module, which takes longer than to add
        self.total.add_(total.detach())
        if logits is None:
            self.unanswered.add_(len(labels))
        else:
            self.correct.add_((logits.argmax(dim=1) == labels).sum())
        self.count.add_(len(labels))
        self.finite_steps.add_(self.total.isfinite())

    def compute(self) -> Scores:
        """Gives the scores since the last reset; an accuracy that is not known is not a number."""
        return Scores(self.total / self.count, self.correct / (self.count - self.unanswered))

    def partial_sums(self) -> dict[str, Tensor]:
        """Gives this rank's sums, for a run that goes on within the epoch."""
        return {name: getattr(self, name).clone() for name in self._defaults}

    def load(self, partial: Mapping[str, Tensor]) -> None:
        """Takes up the sums that `partial_sums` gave."""
        for name, value in partial.items():
            getattr(self, name).copy_(value)

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> Self:
        super()._apply(lambda value: fn(value).to(value.dtype), exclude_state)
        return self


class Score(Metric):
    """One of the running scores, in the form that Lightning logs, computes and resets by itself.

    Args:
        scores: What is added up.
        name: Which of the `Scores`.
    """

    full_state_update = False

    def __init__(self, scores: RunningScores, name: str) -> None:
        super().__init__()
        self.scores, self.name = scores, name

    def update(self) -> None:
        """Is told that there is something to compute."""

    def compute(self) -> Tensor:
        """Gives the score of the images of all ranks."""
        return getattr(self.scores.compute(), self.name)

    def reset(self) -> None:
        """Starts an epoch anew."""
        super().reset()
        self.scores.reset()


class ScoredModule(LightningModule):
    """Whatever gives logits (N, 10) for images (N, 1, 28, 28): a network, or a committee.

    Logs val_loss and val_acc, test_loss and test_acc. Losses are means over images, in nats;
    accuracies are the share of images, in [0, 1]. Whatever precision autocast sets for training,
    evaluation is in that of the weights: float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.val_scores, self.test_scores = RunningScores(), RunningScores()
        for stage in ("val", "test"):
            self.add_scores(stage)

    def add_scores(self, stage: str) -> None:
        """Lets Lightning log the loss and the accuracy of `<stage>_scores`."""
        scores = getattr(self, f"{stage}_scores")
        for name in Scores._fields:
            setattr(self, f"{stage}_{name}", Score(scores, name))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Names the class, for what is trained in Python; LightningCLI names it by itself."""
        kind = type(self)
        checkpoint["model_class"] = f"{kind.__module__}.{kind.__qualname__}"

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores a batch of held-out images and gives its probabilities (B, 10)."""
        self.log_scores("val", batch_idx)
        logits = self.evaluate_held_out(batch)
        self.score(batch, logits, self.val_scores)
        return logits.softmax(dim=1)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Scores a batch of the test set and gives its probabilities (B, 10)."""
        self.log_scores("test", batch_idx)
        logits = self.evaluate(batch)
        self.score(batch, logits, self.test_scores)
        return logits.softmax(dim=1)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives probabilities (B, 10)."""
        return self.evaluate(batch).softmax(dim=1)

    def evaluate(self, batch: Batch) -> Tensor:
        """Gives logits (B, 10), without autocast, in float32 at the least."""
        with torch.autocast(self.device.type, enabled=False):
            logits: Tensor = self(batch.images)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def evaluate_held_out(self, batch: Batch) -> Tensor:
        """Gives logits (B, 10) of images that were held out of training."""
        return self.evaluate(batch)

    def score(self, batch: Batch, logits: Tensor, scores: RunningScores) -> Tensor:
        """Gives the sum of the losses, and counts it and the correct answers for the epoch."""
        total = F.cross_entropy(logits.float(), batch.labels, reduction="sum")
        scores.update(logits, batch.labels, total)
        return total

    def log_scores(self, stage: str, batch_idx: int) -> None:
        """Has Lightning log an epoch's scores at its end; to be called first thing in each step."""
        if self._trainer is None:  # a step called by hand
            return
        for name in Scores._fields:
            metric: Score = getattr(self, f"{stage}_{name}")
            if batch_idx == 0:
                metric.reset()  # of an epoch that was broken off
            if not metric.update_called:  # once an epoch suffices
                metric.update()
                self.log(f"{stage}_{name}", metric, on_step=False, on_epoch=True)
