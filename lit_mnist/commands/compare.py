"""The command `compare`: whether two runs differ by more than chance."""

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lit_mnist.errors import UserError
from lit_mnist.reports.statistics import mcnemar, wilson_interval


class Predictions(NamedTuple):
    """What `predictions.csv` says of N images, in index order."""

    name: str
    indices: np.ndarray  # int (N,)
    labels: np.ndarray  # int (N,)
    right: np.ndarray  # bool (N,)


def run(options: argparse.Namespace) -> None:
    """Runs the command with options that `parsers.Compare` has parsed."""
    first, second = map(read, options.runs)
    same_images = np.array_equal(first.indices, second.indices)
    if not same_images or not np.array_equal(first.labels, second.labels):
        raise UserError(f"{first.name} and {second.name} were tested on different images")
    print("\n".join(lines(first, second)))


def read(path: Path) -> Predictions:
    """Reads a run's predictions.

    Raises:
        UserError: There are none, or the file is damaged.
    """
    file = path if path.is_file() else path / "predictions.csv"
    if not file.is_file():
        raise UserError(f"{file}: no predictions; test the run first")
    try:
        with file.open(encoding="utf-8", newline="") as text:
            rows = [
                (int(row["index"]), int(row["label"]), int(row["prediction"]))
                for row in csv.DictReader(text)
            ]
        indices, labels, predictions = np.array(rows).T
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{file}: damaged; test the run again") from error
    name = str(file.parent if file.name == "predictions.csv" else file)
    return Predictions(name, indices, labels, labels == predictions)


def lines(first: Predictions, second: Predictions) -> list[str]:
    """Gives the comparison, a line a fact."""
    count = len(first.labels)
    text = []
    for one in (first, second):
        correct = int(one.right.sum())
        low, high = wilson_interval(correct, count)
        text.append(
            f"{one.name}: accuracy {correct / count:.4f} (95 % interval {low:.4f} to {high:.4f}),"
            f" {count - correct} errors in {count:,}"
        )
    result = mcnemar(first.right, second.right)
    text.append(
        f"right in the first alone: {result.only_first}, in the second: {result.only_second}"
    )
    text.append(f"McNemar's exact test, two-sided: p = {result.p_value:.3g}")
    if result.p_value >= 0.05:
        text.append("no difference that chance could not explain")
    else:
        better = first if result.only_first > result.only_second else second
        text.append(f"{better.name} is better by more than chance would explain")
    return text
