"""The lower limit of an epoch: the time of its convolutions and matrix products alone.

Measured in the precision of `fit`, in the faster of the two memory layouts; validation in float32.
budget.py compares an epoch with it.
"""

from collections.abc import Callable
from functools import partial

import measuring  # noqa: F401 # first, as it puts this clone on the path
import torch
from bare_loop import NETS
from convolutions import kernels, milliseconds
from settings import Settings
from torch import Tensor, nn
from torch.nn import functional as F

from lit_mnist.data.datamodule import MNISTDataModule

Parts = dict[str, float]  # seconds of an epoch
Work = Callable[[], object]
LIMIT = ("convolutions", "matrix products")


def products(layer: nn.Linear, inputs: Tensor, kind: torch.dtype, *, first: bool) -> list[Work]:
    """Returns the matrix products of a linear layer in a step; the first layer has no third."""
    x, w = inputs.detach().to(kind), layer.weight.detach().to(kind)
    gradient = torch.ones(len(x), len(w), dtype=kind)
    backward = [partial(torch.mm, gradient.T, x), partial(torch.mm, gradient, w)]
    return [partial(F.linear, x, w), *backward[: 1 if first else 2]]


def works(net: nn.Module, images: Tensor, settings: Settings) -> dict[str, list[Work]]:
    """Lists the convolutions and matrix products of a step; each one's first is the forward."""
    placed = settings.place(net)
    assert isinstance(placed, nn.Sequential)
    x, found, first = settings.place_images(images), {part: list[Work]() for part in LIMIT}, True
    kind = torch.bfloat16 if settings.bf16 else torch.float32
    for layer in placed:
        if isinstance(layer, nn.Conv2d):
            found["convolutions"] += kernels(layer, x, kind)
        elif isinstance(layer, nn.Linear):
            precise = torch.float32 if layer is placed[-1] else kind
            found["matrix products"] += products(layer, x, precise, first=first)
        first = first and not isinstance(layer, nn.Conv2d | nn.Linear)
        x = layer(x)
    return found


def forward(net: nn.Module, images: Tensor, settings: Settings) -> list[Work]:
    """Lists the same of a forward pass in float32."""
    placed = settings.place(net)
    assert isinstance(placed, nn.Sequential)
    x, found = settings.place_images(images), list[Work]()
    for layer in placed:
        if isinstance(layer, nn.Conv2d):
            found.append(kernels(layer, x, torch.float32)[0])
        elif isinstance(layer, nn.Linear):
            found.append(products(layer, x, torch.float32, first=True)[0])
        x = layer(x)
    return found


def limit(name: str, data: MNISTDataModule, chosen: Settings, times: int) -> Parts:
    """Measures the lower limit of an epoch; `validation` is that of the validation pass."""

    def seconds(group: list[Work]) -> float:
        return sum(milliseconds(work, times) for work in group) / 1000

    layouts, steps, val_steps = [], len(data.train_dataloader()), len(data.val_dataloader())
    training, held_out = (
        torch.rand(data.batch_size, 1, 28, 28),
        torch.rand(min(data.eval_batch_size, len(data.val_indices)), 1, 28, 28),
    )
    for layout in (True, False):
        settings = chosen._replace(channels_last=layout)
        step = works(NETS[name]().eval(), training, settings)
        epoch = {part: steps * seconds(group) for part, group in step.items()}
        scored = forward(NETS[name]().eval(), held_out, settings)
        layouts.append(epoch | {"validation": val_steps * seconds(scored)})
    return {part: min(one[part] for one in layouts) for part in (*LIMIT, "validation")}
