"""Results of a validation: a confusion matrix, recalls, and the worst images."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_mnist.data.batches import Batch
from lit_mnist.logs import tiles
from lit_mnist.shape import CLASSES

WORST = 15  # number of images that are kept


class Worst(NamedTuple):
    """The K images whose true classes got the lowest probabilities, lowest first.

    Attributes:
        images: uint8 (K, 28, 28).
        labels: int64 (K,).
        predictions: int64 (K,).
        probabilities: float (K, 2): those of the label and of the prediction.
    """

    images: Tensor
    labels: Tensor
    predictions: Tensor
    probabilities: Tensor


class Validated(NamedTuple):
    """Results of a validation.

    Attributes:
        confusion: int64 (10, 10): entry (t, p) counts images of class t predicted as p.
        worst: At most 15 images.
        names: Names of the ten classes.
    """

    confusion: np.ndarray
    worst: Worst
    names: Sequence[str]

    def recalls(self) -> dict[str, float]:
        """Returns the recall of each class; classes without images are left out."""
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

    def state(self) -> dict[str, Any]:
        """Returns it as tensors and text, for a checkpoint."""
        confusion = torch.from_numpy(self.confusion)
        return {"confusion": confusion, "worst": [*self.worst], "names": [*self.names]}

    def _captions(self) -> list[list[tuple[str, tiles.Colour]]]:
        _, labels, predictions, probabilities = (values.tolist() for values in self.worst)
        return [
            [
                (f"{self.names[label]}: {true:.0%}", tiles.TRUE),
                (f"{self.names[taken]}: {chance:.0%}", tiles.PREDICTED),
            ]
            for label, taken, (true, chance) in zip(labels, predictions, probabilities, strict=True)
        ]


def loaded(state: Mapping[str, Any]) -> Validated:
    """Returns the results whose `state` this is."""
    return Validated(state["confusion"].numpy(), Worst(*state["worst"]), state["names"])


def is_shown(batch: Any) -> bool:
    """Whether a batch holds images with one class each; a module's hooks may make another."""
    if not isinstance(batch, Batch):
        return False
    whole_numbers = not (batch.labels.is_floating_point() or batch.labels.is_complex())
    return batch.images.ndim == 4 and batch.labels.shape == batch.images.shape[:1] and whole_numbers


def are_classes(labels: Tensor) -> bool:
    """Whether all labels, int (N,), are numbers of classes; this synchronises their device."""
    return bool(((labels >= 0) & (labels < CLASSES)).all())


def part(batch: Batch, probabilities: Tensor) -> tuple[Tensor, Worst]:
    """Reduces a batch to what is kept of it, without synchronising its device.

    Args:
        batch: B images.
        probabilities: Float (B, 10).

    Returns:
        Each image's index in the flattened confusion matrix, int64 (B,), and the worst images.
    """
    labels = batch.labels.long()
    known = labels.clamp(0, CLASSES - 1)  # of others, `combine` shows nothing
    true = probabilities.gather(1, known[:, None])[:, 0]
    highest, predictions = probabilities.max(dim=1)
    at = true.topk(min(WORST, len(true)), largest=False).indices
    chances = torch.stack([true[at], highest[at]], dim=1).float()
    worst = Worst(grey(batch.images[at]), labels[at], predictions[at], chances)
    return labels * CLASSES + predictions, worst


def grey(images: Tensor) -> Tensor:
    """Converts float (N, 1, 28, 28) in [0, 1] to uint8 (N, 28, 28)."""
    return images[:, 0].detach().float().clamp(0, 1).mul(255).round().byte()


def combine(parts: Sequence[tuple[Tensor, Worst]], names: Sequence[str]) -> Validated | None:
    """Combines the results of all batches, on the CPU; None if a label is no number of a class.

    Args:
        parts: Results of `part`.
        names: Names of the ten classes.
    """
    places = torch.cat([place for place, _ in parts])
    if not are_classes(places.div(CLASSES, rounding_mode="floor")):
        return None
    counts = torch.bincount(places, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    joined = Worst(*map(torch.cat, zip(*(worst for _, worst in parts), strict=True)))
    true = joined.probabilities[:, 0]
    order = true.argsort(stable=True)[:WORST]
    if (joined.probabilities > 1).any() or (true < 0).any():  # logits, which are not comparable
        order = order[:0]
    return Validated(counts.numpy(), Worst(*(values[order] for values in joined)), names)
