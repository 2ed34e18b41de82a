"""How `fit` scales with processes, batch size and the size of the training set.

    python benchmarks/scaling.py --data-dir data --config simple

Runs `fit` for two epochs per measurement; the second counts.
    ranks    an epoch with validation in one process of 1 thread (1x1), in one of 2 threads (1x2),
             and in 2 processes of 1 thread each (2x1), with DDP on gloo
    batches  a step of 86, 172, 344, 1024 and 4096 images, without validation
    sizes    a step of 86 of 10, 50 and 240 thousand synthetic images, without validation; the
             size should not matter
A step's time is the epoch's divided by its steps, so it includes a share of the epoch's overhead.
"""

import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import measuring  # first, as it puts this clone on the path
import torch
from report import Report

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import write_idx

CONFIGS = ("dense", "simple", "simple_augmented", "deep")
AUGMENTED = ("simple_augmented", "deep")
SYNTHETIC = "KMNIST"  # MNIST's own files are pinned by their hashes
BATCH = 86
FLAT = ("<=", 1.10)


def count_images(options: Namespace) -> int:
    """Counts the images that are trained on: five in six of the file."""
    family = DATASETS[options.dataset]
    labels = family.folder(options.data_dir) / family.files["train"][1]
    return (labels.stat().st_size - 8) * 5 // 6  # a byte each after the IDX header


def count_steps(options: Namespace, batch_size: int) -> int:
    """Counts the steps of an epoch; an augmented one leaves the smaller batch out."""
    steps, remainder = divmod(count_images(options), batch_size)
    return steps + (remainder > 0 and options.config not in AUGMENTED)


def training_s(options: Namespace, batch_size: int) -> float:
    """Returns the seconds of an epoch without validation."""
    arguments = ("--data.batch_size", str(batch_size), "--trainer.limit_val_batches", "0")
    return measuring.fit(options, options.config, *arguments).epoch_s


def add_ranks(report: Report, options: Namespace) -> None:
    """Measures processes against threads."""

    def epoch(kind: str) -> float:
        processes, threads = kind.split("x")
        strategy = ("--trainer.strategy", "ddp") if processes != "1" else ()
        arguments = ("--trainer.devices", processes, *strategy)
        return measuring.fit(options, options.config, *arguments, threads=int(threads)).epoch_s

    variants = {kind: partial(epoch, kind) for kind in options.ranks}
    measured = measuring.alternate(variants, options.repeats)
    first = options.ranks[0]
    for kind, values in measured.items():
        report.add(f"epoch of {kind} threads", values, "s")
    for kind in options.ranks[1:]:
        report.ratio(f"speed-up of {kind} over {first}", measured[first], measured[kind])


def add_batches(report: Report, options: Namespace) -> None:
    """Measures a step of each batch size."""
    variants = {size: partial(training_s, options, size) for size in options.batch_sizes}
    for size, seconds in measuring.alternate(variants, options.repeats).items():
        steps = count_steps(options, size)
        images = min(steps * size, count_images(options))
        report.add(f"batch {size}: a step", [s / steps * 1000 for s in seconds], "ms")
        report.add(f"batch {size}: throughput", [images / s for s in seconds], "images/s")


def add_sizes(report: Report, options: Namespace) -> None:
    """Measures a step on training sets of each size."""

    def step_ms(place: Namespace) -> float:
        return training_s(place, BATCH) / count_steps(place, BATCH) * 1000

    with tempfile.TemporaryDirectory() as folder:
        variants = {}
        for size in options.sizes:
            data_dir = Path(folder, str(size))
            write_images(data_dir, size)
            place = {"data_dir": data_dir, "dataset": SYNTHETIC}
            variants[size] = partial(step_ms, Namespace(**vars(options) | place))
        measured = measuring.alternate(variants, options.repeats)
    for size, values in measured.items():
        report.add(f"{size} images: a step", values, "ms")
    small, large = min(measured), max(measured)
    report.ratio(f"a step: {large} / {small} images", measured[large], measured[small], FLAT)


def write_images(data_dir: Path, count: int) -> None:
    """Writes a training set of random images, `count` of which are not held out."""
    family, total = DATASETS[SYNTHETIC], -(-count * 6 // 5)
    family.folder(data_dir).mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (total, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (total,), dtype=torch.uint8, generator=generator)
    for name, values in zip(family.files["train"], (images, labels), strict=True):
        write_idx(family.folder(data_dir) / name, values)


PARTS = {"ranks": add_ranks, "batches": add_batches, "sizes": add_sizes}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports, saving after each part."""
    parser = measuring.new_parser(__doc__, "scaling", repeats=3)
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="(all)")
    ranks = ["1x1", "1x2", "2x1"]
    add("--ranks", nargs="+", default=ranks, help=f"PROCESSESxTHREADS, the base first ({ranks})")
    add("--config", choices=CONFIGS, default="simple", help="the system to train (simple)")
    batch_sizes, sizes = [86, 172, 344, 1024, 4096], [10_000, 50_000, 240_000]
    add("--batch-sizes", type=int, nargs="+", default=batch_sizes, help=f"({batch_sizes})")
    add("--sizes", type=int, nargs="+", default=sizes, help=f"images to train on ({sizes})")
    quick = {"parts": ["ranks", "sizes"], "ranks": ["1x1", "2x1"], "sizes": [200], "repeats": 1}
    options = measuring.parse(parser, argv, quick)
    report = Report("scaling", options)
    for part in options.parts:
        PARTS[part](report, options)
        report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
