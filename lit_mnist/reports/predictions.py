"""What a module says of each image that it is shown, gathered from all ranks."""

from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from lit_mnist.data.batches import Batch
from lit_mnist.reports.calibration import Answers
from lit_mnist.runs.folder import Run
from lit_mnist.shape import CLASSES


class Predictions(NamedTuple):
    """What is known of N images, in index order, on the CPU.

    Attributes:
        indices: int64 (N,): their places in the data set.
        labels: int64 (N,): their classes, -1 where they are unknown.
        probabilities: float64 (N, 10).
        member_log_probs: float64 (N, M, 10): those of a committee's M members; M is 0 for a single
            module.
        features: float32 (N, F): those of all nets side by side, where they are kept; else F is 0.
    """

    indices: Tensor
    labels: Tensor
    probabilities: Tensor
    member_log_probs: Tensor
    features: Tensor

    @property
    def classes(self) -> Tensor:
        """The most probable class of each image: int64 (N,), the lowest where several are."""
        return self.probabilities.argmax(1)

    @property
    def answers(self) -> Answers:
        """The same for NumPy, without the members."""
        return Answers(self.probabilities.numpy(), self.labels.numpy())


class Collector(Callback):
    """Keeps what is said of each image, on every rank.

    Args:
        run: The folder to write to.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.batches: list[Predictions] = []

    def collect(
        self,
        batch: Batch,
        probabilities: Tensor,
        member_log_probs: Tensor | None = None,
        features: Tensor | None = None,
    ) -> None:
        """Keeps a batch of B images.

        Args:
            batch: With their indices and labels (B,).
            probabilities: Float (B, 10).
            member_log_probs: Float (B, M, 10); None for a single module.
            features: Float32 (B, F); None if they are not kept.
        """
        if member_log_probs is None:
            member_log_probs = probabilities.new_empty(len(probabilities), 0, CLASSES)
        self.batches.append(
            Predictions(
                batch.indices.cpu(),
                batch.labels.cpu(),
                probabilities.double().cpu(),
                member_log_probs.double().cpu(),
                torch.empty(len(probabilities), 0) if features is None else features,
            )
        )

    def gathered(self, trainer: Trainer) -> Predictions:
        """Gives what all ranks have kept; all of them must call it."""
        batches = self.batches
        if trainer.world_size > 1:
            everyone: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(everyone, batches)
            batches = [batch for rank in everyone for batch in rank]
        whole = Predictions(*map(torch.cat, zip(*batches, strict=True)))
        order = whole.indices.argsort()
        return Predictions(*(values[order] for values in whole))


def predictions_csv(predictions: Predictions) -> str:
    """Formats a row an image; nine digits give a float32 probability back exactly."""
    lines = [",".join(["index", "label", "prediction", *(f"p{digit}" for digit in range(CLASSES))])]
    rows = zip(
        predictions.indices.tolist(),
        predictions.labels.tolist(),
        predictions.classes.tolist(),
        predictions.probabilities.tolist(),
        strict=True,
    )
    for index, label, predicted, probabilities in rows:
        cells = (f"{probability:.9g}" for probability in probabilities)
        lines.append(",".join([f"{index},{label},{predicted}", *cells]))
    return "\n".join(lines) + "\n"
