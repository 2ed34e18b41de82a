"""Predictions of a module for each image, gathered from all ranks."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F

from lit_mnist.data.as_batch import UNKNOWN
from lit_mnist.data.batches import Batch
from lit_mnist.machine.ranks import of_each_rank
from lit_mnist.reports.calibration import Answers
from lit_mnist.shape import CLASSES


class Predictions(NamedTuple):
    """Predictions for N images, in index order, on the CPU.

    Attributes:
        indices: int64 (N,): positions in the data set.
        labels: int64 (N,): true classes, -1 where unknown.
        probabilities: float64 (N, 10).
        member_log_probs: float64 (N, M, 10): of a committee's M members; M is 0 for a single net.
        features: float32 (N, F): features from all nets, concatenated; F is 0 if not captured.
    """

    indices: Tensor
    labels: Tensor
    probabilities: Tensor
    member_log_probs: Tensor
    features: Tensor

    @property
    def classes(self) -> Tensor:
        """Most probable class of each image, int64 (N,); ties go to the lowest, -1 if unknown."""
        return self.probabilities.argmax(1).where(self.answered, UNKNOWN)

    @property
    def answered(self) -> Tensor:
        """Whether the net, and each member, has given an image numbers, and not NaN: bool (N,)."""
        of_members = self.member_log_probs.isnan().flatten(1).any(1)
        return ~(self.probabilities.isnan().any(1) | of_members)

    @property
    def loss(self) -> float:
        """Mean negative logarithm of the labels' probabilities, in nats."""
        return F.nll_loss(self.probabilities.log(), self.labels).item()

    def loss_as_logged(self, metrics: Mapping[str, Tensor]) -> float:
        """Returns the test_loss that was logged; `loss` if there is none, or it is not a number."""
        logged = float(metrics.get("test_loss", math.nan))
        return self.loss if math.isnan(logged) else logged

    @property
    def answers(self) -> Answers:
        """Probabilities and labels as NumPy arrays."""
        return Answers(self.probabilities.numpy(), self.labels.numpy())


class Collector(Callback):
    """Callback that collects the predictions for each image, on every rank."""

    def __init__(self) -> None:
        self.batches: list[Predictions] = []

    def collect(
        self,
        batch: Batch,
        probabilities: Tensor,
        member_log_probs: Tensor | None = None,
        features: Tensor | None = None,
    ) -> None:
        """Adds the predictions for a batch of B images.

        Args:
            batch: The batch.
            probabilities: Float (B, 10).
            member_log_probs: Float (B, M, 10); None for a single module.
            features: Float32 (B, F); None if not captured.
        """
        if member_log_probs is None:
            member_log_probs = probabilities.new_empty(len(probabilities), 0, CLASSES)
        self.batches.append(
            Predictions(
                batch.indices.cpu(),
                batch.labels.cpu(),
                probabilities.cpu().double(),  # not before: Apple's GPUs have no float64
                member_log_probs.cpu().double(),
                torch.empty(len(probabilities), 0) if features is None else features,
            )
        )

    def gathered(self, trainer: Trainer) -> Predictions:
        """Gathers the predictions of all ranks; every rank must call it."""
        batches = [batch for rank in of_each_rank(trainer, self.batches) for batch in rank]
        # a rank without images, where there are fewer than ranks, knows no widths of features
        batches = [batch for batch in batches if len(batch.indices)] or batches[:1]
        if len({batch.features.shape[1] for batch in batches}) > 1:  # not captured of each batch
            batches = [one._replace(features=one.features[:, :0]) for one in batches]
        joined = Predictions(*map(torch.cat, zip(*batches, strict=True)))
        order = joined.indices.argsort()
        return Predictions(*(values[order] for values in joined))


def probabilities(outputs: Any, module: LightningModule, batch: Batch) -> Tensor:
    """Returns a module's probabilities (B, 10), whatever its test_step or predict_step returned.

    Args:
        outputs: What the step returned; used if they are probabilities.
        module: Evaluates the batch again if they are not.
        batch: B images, as the step received them.

    Raises:
        UserError: The module's forward gives no logits (B, 10).
    """
    if isinstance(outputs, Tensor) and outputs.shape == (len(batch.labels), CLASSES):
        found = outputs.detach().cpu().double()
        sums = found.sum(1)
        if (found >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
            return outputs
    return module.evaluate(batch).softmax(dim=1)  # type: ignore[operator] # Lightning hands on the base class


def predictions_csv(predictions: Predictions) -> str:
    """Formats one row per image; nine digits represent a float32 probability exactly."""
    lines = [",".join(["index", "label", "prediction", *(f"p{digit}" for digit in range(CLASSES))])]
    integers = torch.stack([predictions.indices, predictions.labels, predictions.classes], dim=1)
    rows = zip(integers.tolist(), predictions.probabilities.tolist(), strict=True)
    for places, probabilities in rows:
        lines.append(",".join([*map(str, places), *(f"{p:.9g}" for p in probabilities)]))
    return "\n".join(lines) + "\n"
