"""Test-time shifts: predictions are averaged over five shifted copies of an image."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

VIEWS = 5  # the image itself, and shifted by one pixel up, down, left and right


def average_over_shifts(net: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Returns the logarithm of the mean probabilities over an image's views.

    Args:
        net: Maps images to logits (N, C).
        images: Float (N, 1, 28, 28), in [0, 1].

    Returns:
        Float (N, C): logits whose softmax is the mean of the views' probabilities.
    """
    answers = torch.stack([net(view).log_softmax(dim=1) for view in _views(images)])
    return answers.logsumexp(dim=0) - math.log(VIEWS)


def _views(images: Tensor) -> Iterator[Tensor]:
    """Yields the shifted copies, padded with background, and the image itself last."""
    padded = F.pad(images, (1, 1, 1, 1))
    rows, cols = images.shape[-2:]
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        yield padded[..., down : down + rows, right : right + cols]
    yield images
