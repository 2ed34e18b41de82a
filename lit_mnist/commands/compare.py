"""The command `compare`: whether runs, or the seeds of systems, differ by more than chance."""

import argparse
import csv
import os
import sys
from pathlib import Path

import numpy as np

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.reports.comparison import Tested, is_seed, lines, mean_lines, pair_lines, same_images
from lit_mnist.runs import tested, tested_files
from lit_mnist.runs.folder import Run


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `parsers.Compare`."""
    named = [run for path in options.runs for run in tested_runs(path)]
    once: dict[Path, Path] = {}  # a link to a run is that run
    for path in named:
        once.setdefault(Path(os.path.realpath(_table(path))), path)
    folders = named if len(named) == 2 else list(once.values())
    if len(folders) < 2:
        raise UserError(f"{folders[0]}: only one run is named; add another to compare it with")
    runs = [read(path) for path in folders]
    for other in runs[1:]:
        if not same_images(runs[0], other):
            raise UserError(f"{runs[0].name} and {other.name} were tested on different images")
    if len(runs) == 2:
        print("\n".join(lines(*runs)))
    else:
        print("\n".join([*pair_lines(runs), *mean_lines(runs)]))


def tested_runs(path: Path) -> list[Path]:
    """Returns the run itself, or all seeds in the folder of a system, such as `tb_logs/deep`."""
    if path.is_file() or Run(path).predictions.exists() or Run(path).results_json.exists():
        return [path]
    seeds = [folder for folder in path.glob("seed_*") if is_seed(folder)]
    seeds.sort(key=files.natural_order)
    tested_ones = [folder for folder in seeds if Run(folder).predictions.exists()]
    for folder in seeds if tested_ones else ():
        if folder not in tested_ones:
            print(f"{folder}: has no predictions, so it is left out; test it", file=sys.stderr)
    return tested_ones or [path]


def _table(path: Path) -> Path:
    return path if path.is_file() else Run(path).predictions


def read(path: Path) -> Tested:
    """Reads a run's predictions.

    Raises:
        UserError: The file is missing or damaged, or the run's test is no longer valid.
    """
    file = _table(path)
    run = Run(file.parent)
    of_run = file == run.predictions
    if not files.is_file(file):
        if tested.why_untested(run) == tested.UNANSWERED:
            raise UserError(f"{run.folder}: {tested.UNANSWERED}; leave it out")
        raise UserError(f"{file}: no predictions; test the run first")
    data_sha256 = _tested_on(run) if of_run else ""
    try:
        indices, labels, predictions = _columns(file)
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        other = "holds no predictions; name a run, or its predictions.csv"
        problem = "damaged; test the run again" if of_run else other
        raise UserError(f"{file}: {problem}") from error
    weights = tested_files.other(run.folder, run.results())
    name = str(run.folder if of_run else file) + (f" (weights of {weights})" if weights else "")
    return Tested(name, data_sha256, indices, labels, labels == predictions, weights)


def _tested_on(run: Run) -> str:
    """Returns the hash of a run's test images; empty if the table is the user's own.

    Raises:
        UserError: The run's test is no longer valid.
    """
    if not run.results() and not run.exists():
        return ""
    if untested := tested.why_untested(run):
        remedy = "leave it out" if untested == tested.UNANSWERED else "test it again"
        raise UserError(f"{run.folder}: {untested}; {remedy}")
    return str(run.results()["test_data_sha256"])


def _columns(file: Path) -> np.ndarray:
    """Reads index, label and prediction of each image: int (3, N)."""
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    return np.array([[int(row[key]) for key in ("index", "label", "prediction")] for row in rows]).T
