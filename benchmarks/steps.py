"""Milliseconds of a training step by memory layout, precision, dropout and torch.compile.

    python benchmarks/steps.py [--compile]

Runs each net in each layout and precision, alternating in one process, on one batch of random
images: forward, loss, backward, Adam; without drawing the batch and augmenting it. This checks the
choice of `fit` on any machine. Ratios are the speed-up over contiguous fp32; `torch's dropout` and
`compiled` otherwise run as in `fit`.
"""

import sys
import time
from collections.abc import Sequence

import measuring  # first, as it puts this clone on the path
import torch
from report import Report
from settings import Settings, as_fit_does
from torch import nn
from torch.nn import functional as F

from lit_mnist.models.nets import DeepConv, Dense, SimpleConv

NETS: dict[str, type[nn.Sequential]] = {"dense": Dense, "simple": SimpleConv, "deep": DeepConv}
VARIANTS = {
    "contiguous fp32": Settings(),
    "contiguous bf16": Settings(bf16=True),
    "channels_last fp32": Settings(channels_last=True),
    "channels_last bf16": Settings(channels_last=True, bf16=True),
}


class Stepper:
    """Trains a net repeatedly on one batch of random images.

    Args:
        net: Takes images (N, 1, 28, 28).
        settings: How to run it.
        batch_size: Images in the batch.
        steps: Steps that are timed in a call.
    """

    def __init__(self, net: nn.Module, settings: Settings, batch_size: int, steps: int) -> None:
        self.net, self.settings, self.steps = settings.place(net), settings, steps
        self.optimizer = torch.optim.Adam(net.parameters(), eps=1e-7, fused=True)
        self.images = settings.place_images(torch.rand(batch_size, 1, 28, 28))
        self.labels = torch.randint(10, (batch_size,))

    def __call__(self) -> float:
        """Returns the milliseconds of a step, after two that warm up."""
        for _ in range(2):
            self.step()
        began = time.perf_counter()
        for _ in range(self.steps):
            self.step()
        return (time.perf_counter() - began) / self.steps * 1000

    def step(self) -> None:
        """Takes one."""
        with self.settings.autocast():
            loss = F.cross_entropy(self.net(self.images), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def with_torchs_dropout(net: nn.Sequential) -> nn.Sequential:
    """Replaces the net's dropout by PyTorch's own."""
    return nn.Sequential(
        *(nn.Dropout(layer.p) if isinstance(layer, nn.Dropout) else layer for layer in net)
    )


def compiled(net: nn.Module) -> nn.Module:
    """Compiles the net in place, at its first step."""
    net.compile()
    return net


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "steps", repeats=10)
    add = parser.add_argument
    add("--nets", nargs="+", choices=NETS, default=list(NETS), help="(all)")
    add("--batch-size", type=int, default=86, help="(86)")
    add("--steps", type=int, default=50, help="timed in each round (50)")
    add("--compile", action="store_true", help="also with torch.compile")
    options = measuring.parse(parser, argv, quick={"repeats": 2, "steps": 1, "batch_size": 8})
    report = Report("steps", options)
    for name in options.nets:
        chosen, kind, size = as_fit_does(), NETS[name], (options.batch_size, options.steps)
        steppers = {
            variant: Stepper(kind(), settings, *size) for variant, settings in VARIANTS.items()
        }
        steppers["torch's dropout"] = Stepper(with_torchs_dropout(kind()), chosen, *size)
        if options.compile:
            steppers["compiled"] = Stepper(compiled(kind()), chosen, *size)
        measured = measuring.alternate(steppers, options.repeats)
        for variant, values in measured.items():
            by_fit = VARIANTS.get(variant) == chosen
            report.add(
                f"{name}: {variant}{' (fit)' if by_fit else ''}", values, "ms", by_fit=by_fit
            )
        base = measured.pop("contiguous fp32")
        for variant, values in measured.items():
            report.ratio(f"{name}: speed-up of {variant}", base, values)
        report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
