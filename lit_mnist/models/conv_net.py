"""A convolutional network with batch normalisation, whose size is set by options."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_mnist.errors import UserError
from lit_mnist.models.layers import FullPrecisionLinear
from lit_mnist.models.nets import initialise_like_keras
from lit_mnist.shape import CLASSES, SIDE_PX


class ConvNet(nn.Sequential):
    """Stages of convolutions, each of which halves the image's side, and a head.

    A stage halves the side by a stride of 2 in its first convolution, or by 2x2 max pooling after
    its last. Batch normalisation and ReLU follow each convolution; they come after the pooling,
    where they take a quarter of the work.

    Args:
        widths: Number of feature maps of each convolution, one list per stage.
        kernels: Kernel size of each stage's convolutions, in pixels; odd.
        strided: How many of the first stages use a stride; the others pool.
        hidden: Units of the head's hidden layer; 0: no hidden layer, and the last layer sees the
            average and the maximum of each map.

    Raises:
        UserError: The options make no valid network.
    """

    def __init__(
        self,
        widths: Sequence[Sequence[int]],
        kernels: Sequence[int],
        strided: int = 1,
        hidden: int = 0,
    ) -> None:
        _check(widths, kernels, strided, hidden)
        super().__init__()
        maps, side = 1, SIDE_PX
        for stage, (stage_widths, kernel) in enumerate(zip(widths, kernels, strict=True)):
            for place, width in enumerate(stage_widths):
                stride = 2 if stage < strided and place == 0 else 1
                pooled = stage >= strided and place == len(stage_widths) - 1
                self.extend(_block(maps, width, kernel, stride=stride, pooled=pooled))
                maps = width
            side = -(-side // 2) if stage < strided else side // 2
        self.extend(_head(maps, side, hidden))
        initialise_like_keras(self)


class AverageAndMaximum(nn.Module):
    """Global average and maximum pooling: (N, C, H, W) -> (N, 2 C)."""

    def forward(self, x: Tensor) -> Tensor:
        """Concatenates the averages and the maxima."""
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)


def _block(maps: int, width: int, kernel: int, *, stride: int, pooled: bool) -> list[nn.Module]:
    return [
        nn.Conv2d(maps, width, kernel, stride, padding=kernel // 2, bias=False),
        *([nn.MaxPool2d(2)] if pooled else []),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]


def _head(maps: int, side: int, hidden: int) -> list[nn.Module]:
    if not hidden:
        return [AverageAndMaximum(), FullPrecisionLinear(2 * maps, CLASSES)]
    return [
        nn.Flatten(),
        nn.Linear(maps * side * side, hidden),
        nn.ReLU(),
        FullPrecisionLinear(hidden, CLASSES),
    ]


def _check(
    widths: Sequence[Sequence[int]], kernels: Sequence[int], strided: int, hidden: int
) -> None:
    if not widths or not all(widths) or min(map(min, widths)) < 1:
        raise UserError("--model.widths: give the maps of each stage, as in [[16], [32, 32]]")
    for name, value in (("strided", strided), ("hidden", hidden)):
        if value < 0:
            raise UserError(f"--model.{name} {value}: take 0 or more")
    if len(kernels) != len(widths):
        raise UserError(
            f"--model.kernels: {len(kernels)} for {len(widths)} stages of --model.widths;"
            " give one per stage"
        )
    if bad := [kernel for kernel in kernels if kernel % 2 == 0 or kernel < 1]:
        raise UserError(f"--model.kernels {bad[0]}: take odd sizes, which have a middle pixel")
    if len(widths) > 4:
        raise UserError(f"--model.widths: {len(widths)} stages, but 28 pixels allow 4 halvings")
