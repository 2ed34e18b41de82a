"""Reads images at places between their pixels, on any device."""

from torch import Tensor
from torch.nn import functional as F

from lit_mnist.shape import SIDE_PX

EDGE = 1 - 1 / SIDE_PX  # the centre of the last pixel, in grid_sample's unit


def sample(images: Tensor, grid: Tensor, interpolation: str) -> Tensor:
    """Reads each image at the places of a grid; outside, the nearest border pixel.

    Args:
        images: Float tensor (N, 1, 28, 28).
        grid: Places as columns and rows (N, 28, 28, 2), in half images from the centre.
        interpolation: `bilinear`, or `nearest` for the nearest pixel.

    Returns:
        Float tensor (N, 1, 28, 28).
    """
    if images.device.type == "mps":
        return sample_within(images, grid, interpolation)
    return F.grid_sample(images, grid, interpolation, padding_mode="border", align_corners=False)


def sample_within(images: Tensor, grid: Tensor, interpolation: str) -> Tensor:
    """Does the same as `sample` on Apple's GPUs.

    Before PyTorch 2.13, these refuse border padding (PyTorch #125098).
    """
    within = grid.clamp(-EDGE, EDGE).contiguous()
    return F.grid_sample(images, within, interpolation, align_corners=False)
