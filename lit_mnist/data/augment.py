"""Augmentation: random affine transforms of a whole batch at once, on the batch's device.

The data module applies it only to training batches. The notebook rotates, shifts and zooms; shear
and elastic distortion are optional extras.

Keras' `ImageDataGenerator(rotation_range=10, zoom_range=0.1, width_shift_range=0.1,
height_shift_range=0.1)` draws the same five numbers per image and warps the images one by one; here
one `grid_sample` warps the whole batch. Given the same numbers, the results agree to 1e-5.

Keras has interpolated bilinearly since version 2.1.3; before, it took the nearest pixel (order 0 of
SciPy's `affine_transform`; keras-team/keras#8849). Both are offered: bilinear interpolation blurs
the training images but not the test images, and the deep net does better without it.
"""

from functools import cache
from typing import Literal

import torch
from jsonargparse.typing import NonNegativeFloat
from torch import Tensor, nn

from lit_mnist.data.option_types import one_of, plain
from lit_mnist.data.sampling import sample
from lit_mnist.errors import UserError
from lit_mnist.shape import SIDE_PX

CENTRE_PX = (SIDE_PX - 1) / 2
Interpolation = Literal["bilinear", "nearest"]
NODES = 7  # per side of the coarse grid on which elastic distortion is drawn
SMOOTHNESS_PX = 4.0  # standard deviation of the Gaussian at each node, as in Simard et al. (2003)


def affine(
    images: Tensor,
    *,
    theta_deg: Tensor,
    shift_rows_px: Tensor,
    shift_cols_px: Tensor,
    zoom_rows: Tensor,
    zoom_cols: Tensor,
    shear_deg: Tensor | None = None,
    offsets_px: Tensor | None = None,
    interpolation: Interpolation = "bilinear",
) -> Tensor:
    """Warps each image by its own affine map, repeating the border pixels.

    With x = column - 13.5 and y = row - 13.5, the output pixel at (x, y) reads the input at
    `R(theta) * S(shear) * T(shift) * Z(zoom) * (x, y, 1)` plus the pixel's offset. A zoom factor
    below 1 therefore enlarges the digit; S adds tan(shear) * y to x.

    Args:
        images: Float tensor (N, 1, 28, 28).
        theta_deg: Rotation (N,), in degrees.
        shift_rows_px: Shift along the rows (N,), in pixels.
        shift_cols_px: Shift along the columns (N,), in pixels.
        zoom_rows: Factor along the rows (N,).
        zoom_cols: Factor along the columns (N,).
        shear_deg: Shear (N,), in degrees; None for no shear.
        offsets_px: Displacement of each pixel along columns and rows (N, 2, 28, 28), in pixels;
            None for no displacement.
        interpolation: How values between pixels are read: bilinear, or the nearest pixel.

    Returns:
        Float tensor (N, 1, 28, 28).
    """
    if images.ndim != 4:
        raise UserError(f"images of shape {tuple(images.shape)}: give a batch (N, 1, 28, 28)")
    # In grid_sample's unit, half an image: pixel centres, then what each reads, (N, rows, columns)
    centres = (torch.arange(SIDE_PX, device=images.device) - CENTRE_PX) / (SIDE_PX / 2)
    rows = centres[:, None] * _each(zoom_rows) + _each(shift_rows_px / (SIDE_PX / 2))  # (N, 28, 1)
    cols = centres * _each(zoom_cols) + _each(shift_cols_px / (SIDE_PX / 2))  # (N, 1, 28)
    if shear_deg is not None:
        cols = cols + _each(torch.deg2rad(shear_deg).tan()) * rows  # (N, 28, 28)
    theta = _each(torch.deg2rad(theta_deg))
    cos, sin = theta.cos(), theta.sin()
    # Laid out as two planes; affine_grid, a matrix product of depth 3, takes several times as long
    planes = torch.stack([cos * cols - sin * rows, sin * cols + cos * rows], dim=1)
    if offsets_px is not None:
        planes = planes + offsets_px / (SIDE_PX / 2)
    return sample(images, planes.permute(0, 2, 3, 1), interpolation)


def _each(values: Tensor) -> Tensor:
    """Reshapes one value per image, (N,), to broadcast over its pixels: (N, 1, 1)."""
    return values[:, None, None]


def elastic_offsets(noise: Tensor) -> Tensor:
    """Interpolates noise at the nodes of a coarse grid smoothly to all pixels.

    A pixel's offset is the sum of the nodes' noise, weighted by a Gaussian of their distance. The
    weights are normalised so that standard normal noise gives offsets of variance 1.

    Args:
        noise: Float (N, 2, 7, 7), along columns and along rows.

    Returns:
        Float (N, 2, 28, 28).
    """
    weights = _weights(noise.device, noise.dtype)
    return weights @ noise @ weights.T


@cache  # per device: copying the weights there would synchronise it at every step
def _weights(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Returns the weight of each node for each pixel along an axis: (28, 7), rows of norm 1."""
    pixels = torch.arange(SIDE_PX, dtype=torch.float64)[:, None]
    nodes = torch.linspace(0, SIDE_PX - 1, NODES, dtype=torch.float64)
    weights = torch.exp(-((pixels - nodes) ** 2) / (2 * SMOOTHNESS_PX**2))
    return (weights / weights.norm(dim=1, keepdim=True)).to(dtype).to(device)


class RandomAffine(nn.Module):
    """Draws a rotation, two shifts and two zooms for each image, independently, and applies them.

    The numbers come from the device's default generator, which the data module seeds at each
    training step from (seed, epoch, step, rank). Shear and elastic distortion are drawn last, and
    only where they are not 0, so that they leave the other five numbers as they are.

    Args:
        degrees: The rotation is uniform in +-degrees.
        shift: Each shift is uniform in +-shift, as a fraction of the image's side.
        zoom: Each zoom factor is uniform in [1 - zoom, 1 + zoom], separately for rows and columns.
        interpolation: As in `affine`.
        shear: The shear is uniform in +-shear, in degrees.
        elastic: Standard deviation of each pixel's elastic displacement along each axis, in pixels.
    """

    def __init__(
        self,
        degrees: float = 10.0,
        shift: float = 0.1,
        zoom: float = 0.1,
        interpolation: Interpolation = "bilinear",
        shear: float = 0.0,
        elastic: float = 0.0,
    ) -> None:
        super().__init__()
        one_of("interpolation", interpolation, Interpolation)
        self.interpolation: Interpolation = interpolation
        self.degrees = degrees
        self.shift_px = shift * SIDE_PX
        self.zoom = zoom
        self.shear = shear
        self.elastic = elastic

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Augments float images (N, 1, 28, 28) in float32; shape, type and range stay."""
        draws = torch.rand(5, len(images), device=images.device) * 2 - 1  # (5, N) in [-1, 1)
        augmented = affine(
            images.float(),
            theta_deg=draws[0] * self.degrees,
            shift_rows_px=draws[1] * self.shift_px,
            shift_cols_px=draws[2] * self.shift_px,
            zoom_rows=1 + draws[3] * self.zoom,
            zoom_cols=1 + draws[4] * self.zoom,
            shear_deg=self._shear(images),
            offsets_px=self._offsets(images),
            interpolation=self.interpolation,
        )
        return augmented.to(images.dtype)

    def _shear(self, images: Tensor) -> Tensor | None:
        if not self.shear:
            return None
        return (torch.rand(len(images), device=images.device) * 2 - 1) * self.shear

    def _offsets(self, images: Tensor) -> Tensor | None:
        if not self.elastic:
            return None
        noise = torch.randn(len(images), 2, NODES, NODES, device=images.device)
        return elastic_offsets(noise) * self.elastic


def augmentation(
    augment: bool, interpolation: Interpolation, **extras: float
) -> RandomAffine | None:
    """Builds the augmentation that a data module's options ask for; None if they ask for none.

    Args:
        augment: Whether to augment at all.
        interpolation: As in `affine`.
        extras: Arguments of `RandomAffine` that the notebook does not use.

    Raises:
        UserError: An extra is negative, or set although `augment` is not.
    """
    for name, value in extras.items():
        plain(name, value, NonNegativeFloat)
    if augment:
        return RandomAffine(
            interpolation=interpolation, **{name: float(value) for name, value in extras.items()}
        )
    for name, value in extras.items():
        if value:
            raise UserError(f"--data.{name} {value}: has no effect without --data.augment true")
    return None
