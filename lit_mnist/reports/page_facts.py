"""Reads the content of a page from a run's folder, without computing anything again."""

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lit_mnist import files
from lit_mnist.data import download
from lit_mnist.data.datasets import DATASETS, labels
from lit_mnist.errors import UserError
from lit_mnist.reports import run_names
from lit_mnist.reports.calibration import Answers
from lit_mnist.runs import (
    best_score,
    checkpoints,
    ledger,
    of_training,
    safe_yaml,
    tested,
    tested_files,
)
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import read_config
from lit_mnist.shape import CLASSES


class Evaluation(NamedTuple):
    """Results of a test on N images, in index order.

    Attributes:
        indices: int (N,): positions in the data set.
        answers: Probabilities (N, 10) and labels (N,).
        predictions: int (N,).
        votes: int (N, M): predictions of a committee's M members; None if not known.
        images: uint8 (N, 28, 28); None if the test files are not on disk.
    """

    indices: np.ndarray
    answers: Answers
    predictions: np.ndarray
    votes: np.ndarray | None
    images: np.ndarray | None

    @property
    def wrong(self) -> np.ndarray:
        """Positions of the E misclassified images, int (E,), the most confident first."""
        errors = np.flatnonzero(self.predictions != self.answers.labels)
        return errors[np.argsort(-self.answers.confidence[errors], kind="stable")]


class RunFacts(NamedTuple):
    """Content of a run's folder.

    Attributes:
        name: Its folder below the log folder.
        results: Content of `results.json`.
        config: Text of `config.yaml`.
        history: Rows of `metrics.csv`.
        histories: Rows of `metrics.csv` of a committee's members, by name.
        test: Its test; None if there is no valid one.
        untested: Why there is no valid test; empty if there is one.
        replaced: Why its validation score is not that of `best.ckpt`; empty if it is.
        other: The tested checkpoint, if the validation score is of another; else empty.
        class_names: Names of the ten classes.
        reads: Rows of the ledger, one for each time that the test set was read.
        damaged: Which lines of the ledger are damaged; empty if none are.
    """

    name: str
    results: dict[str, Any]
    config: str
    history: list[dict[str, float]]
    histories: dict[str, list[dict[str, float]]]
    test: Evaluation | None
    untested: str
    replaced: str
    other: str
    class_names: list[str]
    reads: list[dict[str, str]]
    damaged: str


def read(folder: Path) -> RunFacts:
    """Reads a run or a committee.

    Raises:
        UserError: There is no such run, or one of its files is damaged.
    """
    run = Run(folder)
    results = run.results()
    if not results and run.exists():
        raise UserError(f"{run.results_json}: missing; the same fit command writes it again")
    if not results:
        raise UserError(f"{folder}: contains no run; train one with fit")
    replaced = best_score.why_replaced(folder, results)
    results = best_score.without(results) if replaced else results
    config = read_config(run.config_yaml)
    data = config.get("data") or {}
    dataset = data.get("dataset", results.get("dataset"))
    untested = tested.why_untested(run)
    looks = ledger.read(folder)
    return RunFacts(
        name=run_names.of(folder),
        results=results,
        config=safe_yaml.dump(config),
        history=run.history(),
        histories=_members_histories(run, results),
        test=None if untested else _test(run, data, results),
        untested=untested,
        replaced=replaced,
        other=tested_files.other(folder, results),
        class_names=labels(dataset if dataset in DATASETS else "MNIST"),
        reads=looks.looks,
        damaged=_damaged(run.file(ledger.NAME), looks.damaged),
    )


def _damaged(path: Path, lines: list[int]) -> str:
    numbers = ", ".join(map(str, lines))
    return f"{path}: damaged in line {numbers}; such a line stays, and counts" if lines else ""


def _test(run: Run, data: dict[str, Any], results: dict[str, Any]) -> Evaluation:
    table = np.array([[float(cell) for cell in row.values()] for row in _rows(run.predictions)])
    if table.ndim != 2 or table.shape[1] != 3 + CLASSES or not np.isfinite(table).all():
        raise UserError(f"{run.predictions}: damaged; test the run again")
    indices, labels, predictions = table[:, :3].astype(int).T
    return Evaluation(
        indices,
        Answers(table[:, 3:], labels),
        predictions,
        _votes(run, len(table)),
        _images(data, str(results["test_data_sha256"]), len(table)),
    )


def _votes(run: Run, count: int) -> np.ndarray | None:
    """Returns the members' votes on the tested images, int (N, M), if they are on disk."""
    try:
        votes = np.array([list(map(int, row.values()))[3:] for row in _rows(run.votes)], int)
    except ValueError:
        votes = np.array([-1])
    if votes.size and not 0 <= votes.min() <= votes.max() < CLASSES:
        raise UserError(f"{run.votes}: damaged; test the committee again")
    return votes if len(votes) == count else None


def _images(data: dict[str, Any], sha256: str, count: int) -> np.ndarray | None:
    """Returns the tested images if they are on disk; nothing is downloaded."""
    try:
        split = download.load(data["dataset"], "test", Path(data["data_dir"]), False)
    except (UserError, KeyError):
        return None
    same = split.sha256 == sha256 and len(split.images) == count
    return split.images.numpy() if same else None


def _members_histories(run: Run, results: dict[str, Any]) -> dict[str, list[dict[str, float]]]:
    """Reads the histories of a committee's members, as far as they still exist."""
    named = results.get("test_checkpoints", []) if "members" in results else []
    histories = {}
    for member, name in zip(results.get("members", []), named, strict=False):
        path = run.folder / name
        with suppress(UserError):  # it is gone, or damaged
            histories[member["run"]] = of_training.history(path, checkpoints.read(path))
    return {name: history for name, history in histories.items() if history}


def _rows(path: Path) -> list[dict[str, str]]:
    """Reads a table; empty if there is none.

    Raises:
        UserError: It is damaged.
    """
    if not files.is_file(path):
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: damaged; test the run again") from error
    if any(None in row or None in row.values() for row in rows):
        raise UserError(f"{path}: damaged; test the run again")
    return rows
