"""A committee's forward pass: its members in a loop, or stacked into one network.

    python benchmarks/members.py

Times five members on a batch of 500 images: a loop, as in `EnsembleModule`, against
`torch.func.stack_module_state` with `vmap`.
"""

import copy
import sys
import time
from collections.abc import Callable, Sequence

import measuring  # first, as it puts this clone on the path
import torch
from report import Report
from settings import as_fit_does
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from lit_mnist.models.nets import DeepConv, Dense, SimpleConv

NETS: dict[str, type[nn.Module]] = {"dense": Dense, "simple": SimpleConv, "deep": DeepConv}


def looped(nets: Sequence[nn.Module]) -> Callable[[Tensor], Tensor]:
    """Returns the members' logits (M, N, 10), one member after the other."""
    return lambda images: torch.stack([net(images) for net in nets])


def stacked(nets: Sequence[nn.Module]) -> Callable[[Tensor], Tensor]:
    """Returns the same logits in one batched pass."""
    weights, buffers = stack_module_state(list(nets))
    skeleton = copy.deepcopy(nets[0]).to("meta")

    def one(weights: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Tensor:
        return functional_call(skeleton, (weights, buffers), (images,))

    batched = vmap(one, in_dims=(0, 0, None))
    return lambda images: batched(weights, buffers, images)


def timed(forward: Callable[[Tensor], Tensor], images: Tensor) -> Callable[[], float]:
    """Returns a measurement of one pass, in milliseconds."""

    @torch.inference_mode()
    def measure() -> float:
        began = time.perf_counter()
        forward(images)
        return (time.perf_counter() - began) * 1000

    return measure


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "members", repeats=10)
    parser.add_argument("--members", type=int, default=5, help="(5)")
    parser.add_argument("--images", type=int, default=500, help="(500)")
    options = measuring.parse(parser, argv, quick={"repeats": 2, "members": 2, "images": 4})
    report, settings = Report("members", options), as_fit_does()
    images = settings.place_images(torch.rand(options.images, 1, 28, 28))
    for name, kind in NETS.items():
        nets = [settings.place(kind().eval()) for _ in range(options.members)]
        variants = {"one by one": looped(nets), "stacked": stacked(nets)}
        torch.testing.assert_close(variants["stacked"](images), variants["one by one"](images))
        measures = {variant: timed(function, images) for variant, function in variants.items()}
        measured = measuring.alternate(measures, options.repeats)
        for variant, values in measured.items():
            report.add(f"{name}: {variant}", values, "ms")
        report.ratio(f"{name}: stacked / one by one", measured["stacked"], measured["one by one"])
    report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
