"""Accuracy of trained systems on digits that none of them was tuned on.

    python benchmarks/fresh_digits.py tb_logs/dense tb_logs/deep tb_logs/small
    python benchmarks/fresh_digits.py ... --qmnist data --fashion tb_logs/fashion_small

A SYSTEM is a folder of runs, one per seed. UCI's optical digits come with scikit-learn (1,797
images of 8x8 pixels, by other writers): they are enlarged and brought to MNIST's form as `predict`
does. `--qmnist DIR` adds the 50,000 images of QMNIST's test set that MNIST lacks, from
DIR/QMNIST/raw. `--fashion` scores systems trained on Fashion-MNIST on its test images. Nothing is
chosen by these figures.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import measuring  # puts the clone first on the path
import numpy as np
import report
import torch
from sklearn.datasets import load_digits

from lit_mnist import files
from lit_mnist.data import download
from lit_mnist.data.datasets import Dataset
from lit_mnist.errors import UserError, one_line
from lit_mnist.export.reader import load
from lit_mnist.machine import hardware
from lit_mnist.pictures.form import mnist_form
from lit_mnist.reports.statistics import mean_sd, wilson_interval
from lit_mnist.runs.folder import Run

ENLARGED = 8  # times, before the digit is brought to MNIST's form
MNIST_TEST = 10_000  # QMNIST's test images begin with MNIST's
Images = tuple[np.ndarray, np.ndarray]  # uint8 (N, 28, 28), and labels (N,)


def optical_digits() -> Images:
    """Returns UCI's optical digits in MNIST's form: uint8 (1797, 28, 28), and labels (1797,)."""
    found = load_digits()
    ink = found.images.astype(np.float32) / 16  # pixels are 0 to 16
    return np.stack([mnist_form(_enlarged(image)) for image in ink]), found.target


def _enlarged(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC).clip(
        0, 1
    )


def test_images(data_dir: Path, dataset: Dataset) -> Images:
    """Returns the test images of a data set, and their labels."""
    split = download.load(dataset, "test", data_dir, allow_download=False)
    return split.images.numpy(), split.labels.numpy()


def digit_sets(options: argparse.Namespace) -> dict[str, Images]:
    """Loads the sets of digits that the options name."""
    sets = {"UCI's optical digits": optical_digits()}
    if options.qmnist:
        images, labels = test_images(options.qmnist, "QMNIST")
        sets["QMNIST's 50,000"] = (images[MNIST_TEST:], labels[MNIST_TEST:])
    if options.mnist:
        sets["MNIST's test set, to compare"] = test_images(options.mnist, "MNIST")
    return sets


def fashion_set(options: argparse.Namespace) -> dict[str, Images]:
    """Returns Fashion-MNIST's test images, if a system is to be scored on them."""
    if not options.fashion:
        return {}
    return {"Fashion-MNIST": test_images(options.fashion_dir, "FashionMNIST")}


def runs(system: Path) -> list[Path]:
    """Lists the trained runs of a system, one per seed."""
    return sorted(folder for folder in system.glob("seed_*") if Run(folder).best.is_file())


def score(system: Path, sets: dict[str, Images]) -> dict[str, Any]:
    """Scores each run of a system, and their average, on each set."""
    folders = runs(system)
    known = [Run(folder).results() for folder in folders]
    row: dict[str, Any] = {
        "system": system.name,
        "runs": [folder.name for folder in folders],
        "trained_on": known[0].get("hardware"),
        "epochs": known[0].get("epochs"),
        "val_acc": [result.get("best_val_acc") for result in known],
        "sets": {},
    }
    for name, (images, labels) in sets.items():
        outputs = [load(folder).predict(images).probabilities for folder in folders]
        errors = [_errors(one, labels) for one in outputs]
        together = _errors(np.mean(outputs, axis=0), labels) if len(outputs) > 1 else None
        row["sets"][name] = {"images": len(labels), "errors": errors, "committee_errors": together}
    return row


def _errors(probabilities: np.ndarray, labels: np.ndarray) -> int:
    return int((probabilities.argmax(1) != labels).sum())


def table(rows: Sequence[dict[str, Any]], name: str) -> list[str]:
    """Formats the ranking on one set, the best first; a committee has a line of its own."""
    lines = []
    for row in rows:
        found = row["sets"].get(name)
        if found is None:
            continue
        count, n = found["images"], len(found["errors"])
        mean, sd = mean_sd([1 - wrong / count for wrong in found["errors"]])
        spread = f" ± {sd:.4f}" if n > 1 else ""
        validation = f"{np.mean(row['val_acc']):.4f}"
        lines.append((mean, f"{row['system']} | {n} | {validation}", spread, count))
        if found["committee_errors"] is not None:
            right = 1 - found["committee_errors"] / count
            lines.append((right, f"committee of {n} {row['system']} | 1 | ", "", count))
    texts = []
    for mean, text, spread, count in sorted(lines, key=lambda line: -line[0]):
        low, high = wilson_interval(round(mean * count), count)
        texts.append(f"| {text} | {mean:.4f}{spread} | {low:.4f} to {high:.4f} |")
    return texts


def markdown(facts: dict[str, Any]) -> str:
    """Writes the tables, one per set."""
    parts = ["# Digits that nobody tuned on", "", "Written by `benchmarks/fresh_digits.py`."]
    parts += [f"Commit {facts['commit']}. {note}" for note in facts["notes"]]
    head = "| system | runs | validation | accuracy | 95 % interval of the mean's images |"
    for name in facts["sets"]:
        count = next(row["sets"][name]["images"] for row in facts["rows"] if name in row["sets"])
        parts += ["", f"## {name}: {count:,} images", "", head, "|---|---|---|---|---|"]
        parts += table(facts["rows"], name)
    trained = sorted({f"{row['trained_on']}" for row in facts["rows"]})
    return "\n".join([*parts, "", f"Trained on: {'; '.join(trained)}.", ""])


def main(argv: Sequence[str] | None = None) -> int:
    """Scores and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("systems", nargs="+", type=Path, metavar="SYSTEM", help="a folder of runs: tb_logs/deep")
    add("--qmnist", type=Path, metavar="DIR", help="where QMNIST/raw lies")
    add("--mnist", type=Path, metavar="DIR", help="also score MNIST's test images, to compare")
    add("--fashion", nargs="+", type=Path, default=[], metavar="SYSTEM", help="trained on them")
    add("--fashion-dir", type=Path, default=Path("data"), help="where FashionMNIST/raw lies (data)")
    add("--note", action="append", default=[], help="a line on how the systems were trained")
    add(
        "--output", type=Path, default=Path("results/fresh_digits.json"), help="JSON; .md beside it"
    )
    options = parser.parse_args(argv)
    for system in (*options.systems, *options.fashion):
        if not runs(system):
            parser.error(f"{system}: holds no trained run, such as {system / 'seed_42'}")
    try:
        sets, fashion = digit_sets(options), fashion_set(options)
    except UserError as error:  # files that are named are missing
        parser.error(one_line(error))
    rows = [score(system, sets) for system in options.systems]
    rows += [score(system, fashion) for system in options.fashion]
    facts = {
        "notes": options.note,
        "sets": [*sets, *fashion],
        "rows": rows,
        "hardware": hardware.device_name(torch.device("cpu")),
        "versions": hardware.versions(),
        "commit": report.commit(),
    }
    files.write_json(options.output, facts)
    files.write_text(options.output.with_suffix(".md"), markdown(facts))
    print(markdown(facts))
    return 0


if __name__ == "__main__":
    raise SystemExit(measuring.program(main))
