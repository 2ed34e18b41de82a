"""Test-time shifts: an image is read five times, and the answers are averaged."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

VIEWS = 5  # of an image: itself, and moved by a pixel along each axis, both ways


def average_over_shifts(net: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Gives the logarithm of the mean probability over an image's views.

    Args:
        net: Maps images to logits (N, C).
        images: Float (N, 1, 28, 28), in [0, 1].

    Returns:
        Float (N, C): logits, for whoever goes on with them. Their softmax is the mean.
    """
    answers = torch.stack([net(view).log_softmax(dim=1) for view in _views(images)])
    return answers.logsumexp(dim=0) - math.log(VIEWS)


def _views(images: Tensor) -> Iterator[Tensor]:
    """Gives the moved ones, with background where they have left, and the image itself last."""
    padded = F.pad(images, (1, 1, 1, 1))
    rows, cols = images.shape[-2:]
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        yield padded[..., down : down + rows, right : right + cols]
    yield images
