"""The checks of `own_digits.py --checks`: copies of digits, MNIST's form, reading time."""

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import measuring
import numpy as np
import paper
import torch
from torch import nn

from lit_mnist.pictures import form, read

COPIES = 500  # validation digits
SMALL = 1_000  # pictures


def through_form(image: np.ndarray) -> np.ndarray:
    """Converts an MNIST image to MNIST's form again."""
    return form.mnist_form(image.astype(np.float32) / 255)


def accuracy(nets: Sequence[nn.Module], images: np.ndarray, labels: np.ndarray) -> float:
    """Returns the accuracy of the networks' mean probabilities on images (N, 28, 28)."""
    right = 0
    with torch.inference_mode():
        for first in range(0, len(images), 500):
            batch = torch.from_numpy(images[first : first + 500]).unsqueeze(1).float() / 255
            mean = torch.stack([net(batch).softmax(1) for net in nets]).mean(0)
            right += int((mean.argmax(1).numpy() == labels[first : first + 500]).sum())
    return right / len(images)


def form_changes(
    nets: Sequence[nn.Module], images: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """Returns the accuracy on MNIST's images as they are, and put through MNIST's form."""
    formed = np.stack([through_form(image) for image in images])
    before, after = accuracy(nets, images, labels), accuracy(nets, formed, labels)
    return {
        "images": len(images),
        "accuracy": before,
        "accuracy_through_form": after,
        "points_changed": round(100 * (after - before), 4),
    }


def reading_time(checkpoint: Path, images: np.ndarray) -> dict[str, Any]:
    """Returns the time of `predict` for many small pictures, less that for a single one."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "pictures")
        folder.mkdir()
        for place in range(SMALL):
            ink = paper.ink_of(images[place % len(images)])
            picture = paper.photographed(paper.on_paper(ink), rng)
            cv2.imwrite(str(folder / f"{place:04}.png"), picture)
        one = _predict(checkpoint, [folder / "0000.png"], Path(name, "one"))
        many = _predict(checkpoint, [folder], Path(name, "many"))
    return {
        "pictures": SMALL,
        "side_px": 140,
        "wall_seconds_beyond_start": round(many[0] - one[0], 2),
        "cpu_seconds_beyond_start": round(many[1] - one[1], 2),
        "wall_seconds_of_one": round(one[0], 2),
    }


def _predict(checkpoint: Path, pictures: Sequence[Path], output: Path) -> tuple[float, float]:
    """Runs `predict`; returns wall and CPU seconds."""
    run = checkpoint.resolve().parent.parent
    command = [
        sys.executable,
        str(measuring.ROOT / "cli.py"),
        "predict",
        "--config",
        str(run / "config.yaml"),
    ]
    command += ["--ckpt_path", str(checkpoint), "--output", str(output)]
    command += ["--data.images", *map(str, pictures)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    measuring.run_child(command)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def all_copies(image: np.ndarray) -> dict[str, np.ndarray]:
    """Returns copies of an image (28, 28) that no longer have MNIST's position, size or colours."""
    rng = np.random.default_rng(int(image.sum()))
    wide = cv2.resize(image, (112, 112), interpolation=cv2.INTER_CUBIC)
    frame = cv2.copyMakeBorder(wide, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=0)
    smaller = cv2.resize(image, (21, 21), interpolation=cv2.INTER_AREA)
    return {
        "moved by 5 pixels": paper.shifted(image, rng),
        "shrunk to 21 of 28 pixels": cv2.copyMakeBorder(
            smaller, 3, 4, 3, 4, cv2.BORDER_CONSTANT, value=0
        ),
        "enlarged 4 times": wide,
        "inverted": 255 - image,
        "enlarged and framed": cv2.rectangle(frame, (3, 3), (132, 132), 255, 2),
    }


def found_in_copies(images: np.ndarray) -> dict[str, list[list[read.Digit]]]:
    """Returns the digits found in each kind of copy of the images."""
    copies = [all_copies(image) for image in images]
    return {kind: [read.digits_in(copy[kind]) for copy in copies] for kind in copies[0]}
