"""What a validation said of its images: a confusion matrix, and the images it was worst at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_mnist.data.batches import Batch
from lit_mnist.shape import CLASSES
from lit_mnist.training import tiles

WORST = 15  # images that are kept


class Worst(NamedTuple):
    """The images whose own classes got the lowest probabilities, the lowest first.

    Attributes:
        images: uint8 (K, 28, 28).
        labels: int64 (K,).
        predictions: int64 (K,).
        probabilities: float (K, 2): of the label and of the prediction.
    """

    images: Tensor
    labels: Tensor
    predictions: Tensor
    probabilities: Tensor


class Validated(NamedTuple):
    """What a validation said of its images.

    Attributes:
        confusion: int64 (10, 10): entry (t, p) counts the images of class t taken for p.
        worst: At most 15 images.
        names: Of the ten classes.
    """

    confusion: np.ndarray
    worst: Worst
    names: Sequence[str]

    def recalls(self) -> dict[str, float]:
        """Gives the share of each class that was recognised; none of a class without images."""
        counts = self.confusion.sum(axis=1)
        right = self.confusion.diagonal()
        return {
            name: float(right[place] / counts[place])
            for place, name in enumerate(self.names)
            if counts[place]
        }

    def pictures(self) -> dict[str, np.ndarray]:
        """Draws the confusion matrix and the worst images, each uint8 (H, W, 3)."""
        drawn = {"confusion": tiles.confusion(self.confusion, self.names)}
        if len(self.worst.labels):
            drawn["worst"] = tiles.grid(self.worst.images.numpy(), self._captions())
        return drawn

    def _captions(self) -> list[list[tuple[str, tiles.Colour]]]:
        _, labels, predictions, probabilities = (values.tolist() for values in self.worst)
        return [
            [
                (f"{self.names[label]}: {own:.0%}", tiles.TRUE),
                (f"{self.names[taken]}: {chance:.0%}", tiles.PREDICTED),
            ]
            for label, taken, (own, chance) in zip(labels, predictions, probabilities, strict=True)
        ]


def part(batch: Batch, probabilities: Tensor) -> tuple[Tensor, Worst]:
    """Gives what is to be kept of a batch; nothing here waits for its device.

    Args:
        batch: B images.
        probabilities: Float (B, 10).

    Returns:
        Each image's place in a flat confusion matrix, int64 (B,), and the worst images.
    """
    own = probabilities.gather(1, batch.labels[:, None])[:, 0]
    highest, predictions = probabilities.max(dim=1)
    at = own.topk(min(WORST, len(own)), largest=False).indices
    chances = torch.stack([own[at], highest[at]], dim=1).float()
    worst = Worst(grey(batch.images[at]), batch.labels[at], predictions[at], chances)
    return batch.labels * CLASSES + predictions, worst


def grey(images: Tensor) -> Tensor:
    """Turns float (N, 1, 28, 28) in [0, 1] into uint8 (N, 28, 28)."""
    return images[:, 0].detach().float().clamp(0, 1).mul(255).round().byte()


def together(parts: Sequence[tuple[Tensor, Worst]], names: Sequence[str]) -> Validated:
    """Joins what was kept of all batches, on the CPU.

    Args:
        parts: As `part` gives them.
        names: Of the ten classes.
    """
    places = torch.cat([place for place, _ in parts])
    counts = torch.bincount(places, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    joined = Worst(*map(torch.cat, zip(*(worst for _, worst in parts), strict=True)))
    own = joined.probabilities[:, 0]
    order = own.argsort(stable=True)[:WORST]
    if (joined.probabilities > 1).any() or (own < 0).any():  # logits, which are not comparable
        order = order[:0]
    return Validated(counts.numpy(), Worst(*(values[order] for values in joined)), names)
