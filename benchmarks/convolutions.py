"""The convolutions' share of a step, and their speed compared with the processor's limit.

    python benchmarks/convolutions.py

Times each convolution alone, forward and both parts of its backward pass, in the layout that `fit`
chooses, in float32 and bfloat16; then a whole training step, and one large matrix product as the
processor's limit. No framework can save the time of the convolutions themselves.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import measuring  # first, as it puts this clone on the path
import torch
from report import Report
from settings import as_fit_does
from steps import Stepper
from torch import Tensor, nn
from torch.nn import functional as F

from lit_mnist.models.nets import DeepConv, SimpleConv


class Padded(SimpleConv):
    """The simple net with maps that fill oneDNN's lanes; six of them would have to stay zero."""

    maps = 16


NETS: dict[str, type[nn.Sequential]] = {
    "simple": SimpleConv,
    "simple, 16 maps": Padded,
    "deep": DeepConv,
}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Times a call in milliseconds, after one warm-up call."""
    work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1000


def shapes(net: nn.Sequential, images: Tensor) -> list[tuple[nn.Conv2d, Tensor]]:
    """Lists the convolutions and their inputs."""
    found = []
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            found.append((layer, images))
        images = layer(images)
    return found


def kernels(layer: nn.Conv2d, inputs: Tensor, kind: torch.dtype) -> list[Callable[[], object]]:
    """Returns the work of a convolution in a step; the first needs no gradient of the images."""
    x, w = inputs.detach().to(kind), layer.weight.detach().to(kind)
    pad = layer.kernel_size[0] // 2
    out = F.conv2d(x, w, padding=pad)
    arguments = ([w.shape[0]], [1, 1], [pad, pad], [1, 1], False, [0, 0], 1)
    masks = [[False, True, True]] + ([[True, False, False]] if layer.in_channels > 1 else [])
    backward = torch.ops.aten.convolution_backward
    return [
        partial(F.conv2d, x, w, padding=pad),
        *(partial(backward, torch.ones_like(out), x, w, *arguments, mask) for mask in masks),
    ]


def operations(layer: nn.Conv2d, inputs: Tensor) -> float:
    """Counts the floating-point operations of a convolution's forward pass."""
    pixels = len(inputs) * inputs.shape[2] * inputs.shape[3]
    return 2.0 * pixels * layer.weight.numel()


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "convolutions", repeats=5)
    parser.add_argument("--times", type=int, default=20, help="calls per kernel in a round (20)")
    parser.add_argument("--batch-size", type=int, default=86, help="(86)")
    options = measuring.parse(parser, argv, quick={"repeats": 1, "times": 1, "batch_size": 8})
    report, settings = Report("convolutions", options), as_fit_does()
    for name, kind in NETS.items():
        net = settings.place(kind())
        assert isinstance(net, nn.Sequential)
        found = shapes(net, settings.place_images(torch.rand(options.batch_size, 1, 28, 28)))
        for word, dtype in TYPES.items():
            works = [work for layer, inputs in found for work in kernels(layer, inputs, dtype)]
            passes = [3 if layer.in_channels > 1 else 2 for layer, _ in found]
            total = sum(operations(*pair) * n for pair, n in zip(found, passes, strict=True))
            values = [
                sum(milliseconds(work, options.times) for work in works)
                for _ in range(options.repeats)
            ]
            report.add(f"{name}: convolutions alone, {word}", values, "ms")
            rates = [total / value / 1e6 for value in values]
            report.add(f"{name}: their rate, {word}", rates, "GFLOP/s")
        step = Stepper(kind(), settings, options.batch_size, options.times)
        report.add(f"{name}: whole step", [step() for _ in range(options.repeats)], "ms")
    side = 256 if options.quick else 2048
    for word, dtype in TYPES.items():
        a = torch.rand(side, side).to(dtype)
        values = [milliseconds(partial(torch.mm, a, a), 3) for _ in range(options.repeats)]
        rates = [2 * side**3 / value / 1e6 for value in values]
        report.add(f"matrix product, {word}", rates, "GFLOP/s")
    report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
