"""The run that a checkpoint was trained in, which need not be the one in whose folder it lies.

A user may copy checkpoints and rename them, so a folder may hold another run's, or files of other
names and of other programs may lie beside copies.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run

Rows = list[dict[str, float]]


def run_of(path: Path, checkpoint: Mapping[str, Any]) -> Run | None:
    """Returns the run in whose folder a checkpoint lies, if it was trained in it; else None.

    Args:
        path: The checkpoint's file.
        checkpoint: As returned by `checkpoints.read`.
    """
    rows = checkpoints.history(dict(checkpoint))
    return next((run for run in places(path) if _table(run, rows)), None)


def history(path: Path, checkpoint: Mapping[str, Any]) -> Rows:
    """Returns one row per epoch of the training of a checkpoint, also those that followed it."""
    rows = checkpoints.history(dict(checkpoint))
    return next(filter(None, (_table(run, rows) for run in places(path))), rows)


def places(path: Path) -> list[Run]:
    """Returns the folders that may be of a checkpoint's run; the path may be a link to its file."""
    return [Run(path.parent.parent), Run(path.resolve().parent.parent)]


def _table(run: Run, rows: Rows) -> Rows:
    """Returns a run's `metrics.csv` if it begins with a checkpoint's rows; else nothing."""
    table: Rows = []
    with suppress(UserError):  # another program's file, or a damaged one
        table = run.history()
    begins = len(table) >= len(rows) and all(
        all(own.get(name) == value or math.isnan(value) for name, value in row.items())
        for own, row in zip(table, rows, strict=False)
    )
    return table if rows and begins else []
