"""Converts batches of other loaders, such as a DataLoader's pairs of images and labels."""

from typing import Any

import torch
from torch import Tensor

from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError

UNKNOWN = -1  # an unknown label or index


def as_batch(batch: Any) -> Batch:
    """Converts a loader's batch to a `Batch` with float images (B, 1, 28, 28).

    Args:
        batch: A `Batch`; a tuple or list of images, labels and possibly more; or only images.
            Images are float (B, 1, 28, 28) or (B, 28, 28), uint8 from 0 to 255, or bool; labels
            are integers (B,), the numbers of the classes.

    Raises:
        UserError: It is anything else, or a training batch that the data module has not prepared,
            which would be neither augmented nor seeded.
    """
    if isinstance(batch, Batch):
        if batch.images.is_floating_point():
            return batch
        if batch.seed is not None:
            raise UserError(
                "the data module prepares its training batches itself; give the trainer the module,"
                " as in fit(model, datamodule=data), in place of its loader"
            )
        return batch.replace(images=unit_floats(batch.images))
    images, *others = batch if isinstance(batch, (tuple, list)) and batch else [batch]
    labels = others[0] if others else None
    if not isinstance(images, Tensor) or not (labels is None or isinstance(labels, Tensor)):
        raise UserError(
            f"a loader returned a {type(batch).__name__}; return images and labels as two tensors,"
            " or override the step that takes them"
        )
    unknown = torch.full((len(images),), UNKNOWN, device=images.device)
    known = unknown if labels is None else _class_numbers(labels, len(images))
    return Batch(unit_floats(images), known, unknown, len(images))


def _class_numbers(labels: Tensor, count: int) -> Tensor:
    """Returns labels as int64 (B,); one-hot or mixed ones would be scored wrongly."""
    if labels.shape == (count,) and not labels.is_floating_point():
        return labels.long()
    kind = str(labels.dtype).removeprefix("torch.")
    raise UserError(
        f"a loader returned labels {tuple(labels.shape)} of {kind} for {count} images; return an"
        " integer per image, the number of its class, or override the step that takes them"
    )


def unit_floats(images: Tensor) -> Tensor:
    """Converts images to float (B, 1, 28, 28): scales uint8 to [0, 1], as floats are already."""
    images = images.unsqueeze(1) if images.ndim == 3 else images
    if images.is_floating_point():
        return images
    return images.float() if images.dtype == torch.bool else images.float().div_(255)
