"""Where an epoch of `fit` goes, against the limit of the same machine in the same run.

    python benchmarks/budget.py --data-dir data

The limit is what the epoch's convolutions and matrix products take alone, in the precision of `fit`
and in the faster of the two memory layouts, validation's in float32. For each workload three are
measured in turn: the limit; a bare PyTorch loop (bare_loop.py); and `fit` with Lightning's own
SimpleProfiler, a mean over its epochs. Parts of the epoch, in seconds:

    convolutions, matrix products   of training, alone: the limit
    other operators                 the bare loop's training beyond these two
    validation                      its forward passes and losses, and cutting its batches
    checkpoints, logging            the callbacks that write after each epoch
    Lightning and Python            the rest; below 0 by noise, where others use the machine
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import measuring  # stands before lit_mnist for what it does to the path
import torch
from bare_loop import NETS, Loop
from convolutions import alone, milliseconds
from report import Report, Target
from settings import Settings
from torch import Tensor, nn
from torch.nn import functional as F

from lit_mnist.data.datamodule import MNISTDataModule

Parts = dict[str, float]  # seconds of an epoch
Work = Callable[[], object]
LIMIT = ("convolutions", "matrix products")
REST = "Lightning and Python"
PARTS = (*LIMIT, "other operators", "validation", "checkpoints", "logging", REST)
# The actions of Lightning's profiler that make a part, by what stands in their names
ACTIONS = {
    "validation": ("validation_step", "val_next"),
    "checkpoints": ("[Callback]best.on_train_epoch_end", "[Callback]last.on_train_epoch_end"),
    "logging": ("[Callback]metrics.on_train_epoch", "[Callback]TrainLog.on_train_epoch"),
}
TARGETS: dict[str, Target] = {
    "dense": (">=", 0.65),
    "simple": (">=", 0.75),
    "simple_augmented": (">=", 0.75),
    "deep": (">=", 0.85),
}


def products(layer: nn.Linear, given: Tensor, kind: torch.dtype, *, first: bool) -> list[Work]:
    """Gives the matrix products of a linear layer in a step; the first layer has no third."""
    x, w = given.detach().to(kind), layer.weight.detach().to(kind)
    gradient = torch.ones(len(x), len(w), dtype=kind)
    backward = [partial(torch.mm, gradient.T, x), partial(torch.mm, gradient, w)]
    return [partial(F.linear, x, w), *backward[: 1 if first else 2]]


def works(net: nn.Module, images: Tensor, settings: Settings) -> dict[str, list[Work]]:
    """Lists the convolutions and matrix products of a step; each one's first is the forward."""
    assert isinstance(net, nn.Sequential)
    x, found, first = settings.place_images(images), {part: list[Work]() for part in LIMIT}, True
    kind = torch.bfloat16 if settings.bf16 else torch.float32
    for layer in settings.place(net):
        if isinstance(layer, nn.Conv2d):
            found["convolutions"] += alone(layer, x, kind)
        elif isinstance(layer, nn.Linear):
            precise = torch.float32 if layer is net[-1] else kind
            found["matrix products"] += products(layer, x, precise, first=first)
        first = first and not isinstance(layer, nn.Conv2d | nn.Linear)
        x = layer(x)
    return found


def forward(net: nn.Module, images: Tensor, settings: Settings) -> list[Work]:
    """Lists the same of a forward pass in float32."""
    assert isinstance(net, nn.Sequential)
    x, found = settings.place_images(images), list[Work]()
    for layer in settings.place(net):
        if isinstance(layer, nn.Conv2d):
            found.append(alone(layer, x, torch.float32)[0])
        elif isinstance(layer, nn.Linear):
            found.append(products(layer, x, torch.float32, first=True)[0])
        x = layer(x)
    return found


def limit(name: str, data: MNISTDataModule, chosen: Settings, times: int) -> Parts:
    """Measures what an epoch takes at the least, and of that `validation`'s part."""

    def seconds(group: list[Work]) -> float:
        return sum(milliseconds(work, times) for work in group) / 1000

    ways, steps, asked = [], len(data.train_dataloader()), len(data.val_dataloader())
    training, held_out = (
        torch.rand(data.batch_size, 1, 28, 28),
        torch.rand(min(data.eval_batch_size, len(data.val_indices)), 1, 28, 28),
    )
    for layout in (True, False):
        settings = chosen._replace(channels_last=layout)
        step = works(NETS[name]().eval(), training, settings)
        epoch = {part: steps * seconds(group) for part, group in step.items()}
        scored = forward(NETS[name]().eval(), held_out, settings)
        ways.append(epoch | {"validation": asked * seconds(scored)})
    return {part: min(way[part] for way in ways) for part in (*LIMIT, "validation")}


def profiled(options: argparse.Namespace, workload: str) -> Parts:
    """Runs `fit` and gives a mean epoch's seconds: `whole`, and those of `ACTIONS`."""
    with tempfile.TemporaryDirectory() as folder:
        profiler = "lightning.pytorch.profilers.SimpleProfiler"
        given = ("--trainer.profiler.dirpath", folder, "--trainer.profiler.filename", "actions")
        fit = measuring.fit(
            options, workload, "--trainer.profiler", profiler, *given, epochs=options.epochs
        )
        (path,) = Path(folder).glob("*.txt")
        lines = [line.split("|") for line in path.read_text().splitlines()]
    totals = [(cells[1].strip(), cells[4]) for cells in lines if len(cells) == 7]
    parts = {
        part: sum(float(total) for name, total in totals if any(word in name for word in words))
        for part, words in ACTIONS.items()
    }
    epochs = len(fit.rows)
    seconds = sum(row["seconds"] for row in fit.rows)  # checkpoints come after
    return {part: total / epochs for part, total in parts.items()} | {
        "whole": (seconds + parts["checkpoints"]) / epochs
    }


def train(loop: Loop) -> Parts:
    """Times a bare loop's training."""
    return {"bare": milliseconds(loop.train, 1) / 1000}


def split(least: Parts, bare: Parts, fit: Parts) -> Parts:
    """Divides an epoch of `fit` into `PARTS`."""
    parts = {part: least[part] for part in LIMIT}
    parts["other operators"] = bare["bare"] - sum(parts.values())
    parts |= {part: fit[part] for part in ACTIONS}
    return parts | {REST: fit["whole"] - sum(parts.values())}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports, saving after each workload."""
    parser = measuring.new_parser(__doc__, "budget", repeats=5)
    measuring.add_data_options(parser)
    parser.add_argument("--workloads", nargs="+", choices=NETS, default=list(NETS), help="(all)")
    parser.add_argument("--epochs", type=int, default=2, help="of fit, in each round (2)")
    parser.add_argument("--times", type=int, default=20, help="of each work of the limit (20)")
    quick = {"repeats": 1, "times": 1, "epochs": 1, "workloads": ["dense"]}
    options = measuring.parse(parser, argv, quick)
    report = Report("budget", options)
    for name in options.workloads:
        loop = Loop(name, str(options.data_dir), options.dataset)
        ways: dict[str, Callable[[], Parts]] = {
            "limit": partial(limit, name, loop.data, loop.settings, options.times),
            "bare": partial(train, loop),
            "fit": partial(profiled, options, name),
        }
        measured = measuring.alternate(ways, options.repeats)
        epochs = [split(*each) for each in zip(*measured.values(), strict=True)]
        for part in PARTS:
            report.add(f"{name}: {part}", [epoch[part] for epoch in epochs], "s")
        whole = [each["whole"] for each in measured["fit"]]
        report.add(f"{name}: an epoch", whole, "s")
        least = [sum(each.values()) for each in measured["limit"]]
        report.add(f"{name}: its limit, with validation's", least, "s")
        report.ratio(f"{name}: fraction of the limit", least, whole, TARGETS[name])
        report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
