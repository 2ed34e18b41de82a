"""Accuracy on people's own pictures: rendered ones by kind of damage, or a folder of photographs.

    python benchmarks/own_digits.py --checkpoints 'tb_logs/deep/*/checkpoints/best.ckpt'
    python benchmarks/own_digits.py --checkpoints FILE... --photos DIR
    python benchmarks/own_digits.py --checkpoints FILE... --checks

The first renders validation digits (`--split test`: test digits) as pictures on paper, with fixed
seeds. The second reads DIR, whose index.csv has the columns file, kind and label: the text of the
picture in reading order, or "none". The third reads moved, scaled, inverted and framed copies of
500 digits, puts all images of the split through MNIST's form, and times `predict` with the run of
the first checkpoint on 1,000 pictures. Several checkpoints are averaged. The threshold for "no
digit" is fitted to all validation digits.
"""

import argparse
import csv
import glob
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import form_checks
import measuring
import numpy as np
import paper
import report
import torch
from own_digits_reader import Reader
from own_digits_table import row, table

from lit_mnist import files
from lit_mnist.data import download
from lit_mnist.data.datasets import SplitName
from lit_mnist.data.split import train_val_split
from lit_mnist.errors import UserError
from lit_mnist.machine import hardware
from lit_mnist.models import members
from lit_mnist.pictures import read

SEED = 0


def rendered(reader: Reader, images: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
    """Measures each kind of damage on the same digits, then sheets of ten, then letters."""
    plain = [[read.Digit(read.Box(0, 0, 28, 28), image)] for image in images]
    single = [str(label) for label in labels]
    rows = [row("MNIST's own images", reader.texts(plain), single)]
    for name, damage in paper.DAMAGES.items():
        rng = np.random.default_rng(SEED)
        found = [read.digits_in(damage(image, rng)) for image in images]
        rows.append(row(name, reader.texts(found), single))
    rng = np.random.default_rng(SEED)
    tens = range(0, len(images) - 9, 10)
    found = [read.digits_in(paper.sheet(images[ten : ten + 10], rng)) for ten in tens]
    written = ["".join(single[ten : ten + 10]) for ten in tens]
    rows.append(row("sheets of ten", reader.texts(found), written))
    for name, draw in (("letters", paper.letters), ("printed letters", paper.printed_letters)):
        found = [read.digits_in(picture) for picture in draw(np.random.default_rng(SEED))]
        texts = reader.texts(found)
        rows.append(row(f"{name}, to be rejected", texts, [""] * len(texts)))
    return rows


def checked(
    reader: Reader, checkpoint: Path, images: np.ndarray, labels: np.ndarray
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Returns the rows of the copies, and what MNIST's form changes and how long reading takes."""
    some, single = images[: form_checks.COPIES], [str(label) for label in labels]
    single = single[: len(some)]
    plain = [[read.Digit(read.Box(0, 0, 28, 28), image)] for image in some]
    rows = [row("MNIST's own images", reader.texts(plain), single)]
    for kind, found in form_checks.found_in_copies(some).items():
        rows.append(row(kind, reader.texts(found), single))
    extra = {"through_mnists_form": form_checks.form_changes(reader.nets, images, labels)}
    return rows, extra | {"reading": form_checks.reading_time(checkpoint, some)}


def photographed(reader: Reader, folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Scores a folder by kind; also gives a line for each misread picture."""
    try:
        with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
            index = list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"--photos {folder}: no index.csv in it ({error.strerror})") from error
    found = [read.read_picture(folder / entry["file"]).digits for entry in index]
    texts = reader.texts(found)
    labels = ["" if entry["label"] == "none" else entry["label"] for entry in index]
    groups = defaultdict(list)
    for entry, text, label in zip(index, texts, labels, strict=True):
        size = "none" if not label else "single" if len(label) == 1 else "several"
        groups[size].append((text, label))
        groups[f"{size}, {entry['kind']}"].append((text, label))
    rows = [row(name, *zip(*pairs, strict=True)) for name, pairs in sorted(groups.items())]
    misread = [
        f"{entry['file']}: {text or '-'} for {label or '-'}"
        for entry, text, label in zip(index, texts, labels, strict=True)
        if text != label
    ]
    return rows, misread


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--checkpoints", nargs="+", default=[], help="files or patterns; several are averaged")
    add("--photos", type=Path, help="a folder of pictures with an index.csv")
    add("--checks", action="store_true", help="copies, MNIST's form, reading time, full size")
    add("--split", choices=("validation", "test"), default="validation", help="(validation)")
    add("--count", type=int, default=500, help="digits of each kind (500)")
    add("--output", type=Path, help="a JSON file")
    add("--sheet", type=Path, help="just write a photograph-like sheet of ten digits to this file")
    measuring.add_data_options(parser)
    options = parser.parse_args(argv)
    part: SplitName = "test" if options.split == "test" else "train"
    if options.sheet:
        ten = digits(options, part, 10)[0]
        cv2.imwrite(str(options.sheet), paper.sheet(ten, np.random.default_rng(SEED)))
        return 0
    paths = [Path(path) for pattern in options.checkpoints for path in sorted(glob.glob(pattern))]
    if not paths:
        parser.error(f"--checkpoints {' '.join(options.checkpoints)}: no such file")
    found = members.load(paths)
    reader = Reader([member.module for member in found])
    reader.fit(*digits(options, part="train", count=None))
    misread: list[str] = []
    extra: dict[str, Any] = {}
    if options.checks:
        rows, extra = checked(reader, paths[0], *digits(options, part, None))
    elif options.photos:
        rows, misread = photographed(reader, options.photos)
    else:
        rows = rendered(reader, *digits(options, part, options.count))
    print(
        "\n".join([table(rows), *misread, *(f"{name}: {value}" for name, value in extra.items())])
    )
    if options.output:
        facts: dict[str, Any] = {"seed": SEED, "split": options.split}
        facts |= {"photos": bool(options.photos)}
        facts |= {"members": {member.name: member.sha256 for member in found}}
        facts |= {"hardware": hardware.device_name(torch.device("cpu"))}
        facts |= {"versions": hardware.versions()}
        facts |= {"commit": report.commit()}
        files.write_json(options.output, facts | extra | {"rows": rows})
    return 0


def digits(
    options: argparse.Namespace, part: SplitName, count: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first images (N, 28, 28) and labels (N,) of the validation or the test images."""
    split = download.load(options.dataset, part, options.data_dir, allow_download=False)
    total = len(split.labels)
    order = torch.arange(total) if part == "test" else train_val_split(total, 42)[1]
    chosen = order[:count]
    return split.images[chosen].numpy(), split.labels[chosen].numpy()


if __name__ == "__main__":
    raise SystemExit(measuring.program(main))
