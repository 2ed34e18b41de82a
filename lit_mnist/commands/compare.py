"""The command `compare`: whether two runs differ by more than chance."""

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lit_mnist.errors import UserError
from lit_mnist.reports.statistics import mcnemar, wilson_interval
from lit_mnist.runs import tested
from lit_mnist.runs.folder import Run


class Predictions(NamedTuple):
    """What `predictions.csv` says of N images, in index order."""

    name: str
    data_sha256: str  # of the images themselves; empty if it is not known
    indices: np.ndarray  # int (N,)
    labels: np.ndarray  # int (N,)
    right: np.ndarray  # bool (N,)


def run(options: argparse.Namespace) -> None:
    """Runs the command with options that `parsers.Compare` has parsed."""
    first, second = map(read, options.runs)
    if not same_images(first, second):
        raise UserError(f"{first.name} and {second.name} were tested on different images")
    print("\n".join(lines(first, second)))


def same_images(first: Predictions, second: Predictions) -> bool:
    """Tells whether two runs were tested on the same images, as far as that is known."""
    known = {first.data_sha256, second.data_sha256} - {""}
    same_labels = np.array_equal(first.labels, second.labels)
    return len(known) < 2 and same_labels and np.array_equal(first.indices, second.indices)


def read(path: Path) -> Predictions:
    """Reads a run's predictions.

    Raises:
        UserError: There are none, the file is damaged, or the run's test counts no more.
    """
    file = path if path.is_file() else Run(path).predictions
    if not file.is_file():
        raise UserError(f"{file}: no predictions; test the run first")
    run, data_sha256 = Run(file.parent), ""
    if file.name == run.predictions.name and run.results():  # else a table of the user's own
        doubt = tested.doubt(run)
        if doubt:
            raise UserError(f"{run.folder}: {doubt}; test it again")
        data_sha256 = run.results()["test_data_sha256"]
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
    return Predictions(name, data_sha256, indices, labels, labels == predictions)


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
