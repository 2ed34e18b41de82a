"""Images per second of the augmentation on one core, and its share of a training step.

    python benchmarks/augmentation.py --keras-python PYTHON_WITH_KERAS

Compares, on random images in memory: lit_mnist's RandomAffine on batches of 86 and 1000;
torchvision's v2.RandomAffine on single float tensors, and in the usual pipeline (array to PIL,
affine, to tensor); and, with --keras-python, the notebook's Keras generator. The share is
that of RandomAffine in a step of the simple net with 86 images.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import measuring  # first, as it puts this clone on the path
import torch
from PIL import Image
from report import Report
from settings import as_fit_does
from steps import Stepper
from torchvision.transforms import v2

from lit_mnist.data.augment import RandomAffine
from lit_mnist.models.nets import SimpleConv

OURS, LARGE = "batches of 86", "batches of 1000"
THEIRS = {
    "v2, tensor by tensor": (">=", 20.0),
    "v2, PIL image by PIL image": (">=", 20.0),
    "Keras' generator": (">=", 12.0),
}
SHARE = ("<=", 0.10)


def batched(size: int, images: int) -> Callable[[], float]:
    """Returns a measurement of images per second on batches of a size."""
    augment, batch = RandomAffine(), torch.rand(size, 1, 28, 28)

    def measure() -> float:
        augment(batch)
        count, began = 0, time.perf_counter()
        while count < images:
            augment(batch)
            count += size
        return count / (time.perf_counter() - began)

    return measure


def one_by_one(pil: bool, images: int) -> Callable[[], float]:
    """Returns a measurement of images per second, of torchvision on single images."""
    affine = v2.RandomAffine(
        10, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation=v2.InterpolationMode.BILINEAR
    )
    to_tensor = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    tensors = torch.rand(images, 1, 28, 28)
    arrays = torch.randint(256, (images, 28, 28), dtype=torch.uint8).numpy()

    def measure() -> float:
        began = time.perf_counter()
        if pil:
            torch.stack([to_tensor(affine(Image.fromarray(array))) for array in arrays])
        else:
            torch.stack([affine(tensor) for tensor in tensors])
        return images / (time.perf_counter() - began)

    return measure


def keras_generator(report: Report, python: str, images: int) -> float:
    """Returns images per second of the notebook's generator, in a process of its own."""
    script = str(Path(__file__).with_name("keras_notebook.py"))
    command = [python, script, "augmentation", "--batches", str(-(-images // 86))]
    child = measuring.run_child(command, threads=1)
    found = json.loads(child.output.splitlines()[-1])
    report.facts["keras"] = found["versions"]
    return float(found["images_per_second"])


def add_throughput(report: Report, options: argparse.Namespace) -> None:
    """Measures the images per second of every implementation."""
    pil, few = "v2, PIL image by PIL image", max(options.images // 10, 86)
    variants: dict[str, Callable[[], float]] = {
        OURS: batched(86, options.images),
        LARGE: batched(1000, options.images),
        "v2, tensor by tensor": one_by_one(pil=False, images=few),
        pil: one_by_one(pil=True, images=few),
    }
    if options.keras_python:
        variants["Keras' generator"] = lambda: keras_generator(report, options.keras_python, few)
    measured = measuring.alternate(variants, options.repeats)
    for variant, values in measured.items():
        report.add(variant, values, "images/s")
    report.ratio(f"{LARGE} / {OURS}", measured[LARGE], measured[OURS])
    for variant, target in THEIRS.items():
        if variant in measured:
            report.ratio(f"{OURS} / {variant}", measured[OURS], measured[variant], target)


def add_share(report: Report, options: argparse.Namespace) -> None:
    """Measures the fraction of a step of the simple net that augmentation takes."""
    throughput, steps = batched(86, options.images), -(-options.images // 86)
    step = Stepper(SimpleConv(), as_fit_does(), 86, steps)
    variants: dict[str, Callable[[], float]] = {
        "augmentation": lambda: 86 / throughput() * 1000,
        "step": step,
    }
    measured = measuring.alternate(variants, options.repeats)
    pairs = list(zip(measured["augmentation"], measured["step"], strict=True))
    report.add("simple: augmentation of a batch", measured["augmentation"], "ms")
    report.add("simple: the rest of a step", measured["step"], "ms")
    report.add("simple: augmentation's share", [a / (a + other) for a, other in pairs], "", SHARE)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "augmentation", repeats=5)
    add = parser.add_argument
    add("--images", type=int, default=20_000, help="in a round; a tenth for the slow ones (20000)")
    add("--keras-python", metavar="PATH", help="a Python with Keras; else Keras is left out")
    options = measuring.parse(parser, argv, quick={"repeats": 2, "images": 200})
    report = Report("augmentation", options)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    add_throughput(report, options)
    add_share(report, options)
    report.save()
    torch.set_num_threads(threads)
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
