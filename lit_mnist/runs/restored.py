"""Restores lost small files of a run from its checkpoints."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.runs import best_score, checkpoints
from lit_mnist.runs.folder import COLUMNS, Run
from lit_mnist.runs.trained_on import fingerprint_of


def restore(run: Run, config: Mapping[str, Any], newest: Path) -> None:
    """Rewrites `metrics.csv` and `results.json` of a finished run where they are missing.

    Facts about the machine and test scores are not in checkpoints and are lost.

    Args:
        run: The folder.
        config: The resolved config.
        newest: The run's newest checkpoint.

    Raises:
        UserError: The checkpoint or `results.json` is damaged.
    """
    checkpoint = checkpoints.read(newest)
    rows = [*checkpoints.history(checkpoint), *checkpoints.cut_short(checkpoint)]
    rows_on_disk: list[dict[str, float]] = []
    with suppress(UserError):  # a damaged file counts as missing
        rows_on_disk = run.history()
    if len(rows_on_disk) < len(rows):  # the file has more if the last checkpoint was lost
        files.write_text(run.metrics_csv, metrics_csv(rows))
    if "name" not in run.results():
        facts = _facts(run, config, checkpoint, rows)
        run.change_results(lambda known: facts | known)
        best_score.note(run)


def _facts(
    run: Run,
    config: Mapping[str, Any],
    checkpoint: dict[str, Any],
    rows: Sequence[Mapping[str, float]],
) -> dict[str, Any]:
    best = checkpoints.scores(checkpoints.read(run.best)) if run.best.exists() else {}
    return {
        "status": "complete",
        "name": config["name"],
        "seed": config["seed_everything"],
        "model": checkpoints.class_name(checkpoint).rpartition(".")[2],
        **fingerprint_of(checkpoint),
        "epochs": checkpoints.progress(checkpoint)[0],
        "steps": checkpoint.get("global_step", 0),
        "seconds": round(sum(row.get("seconds", 0.0) for row in rows), 2),
        **best_score.entries_of(best),
    }


def metrics_csv(rows: Sequence[Mapping[str, float]]) -> str:
    """Formats `metrics.csv`, one row per epoch; a cell is blank where nothing was measured.

    Columns of a user's own follow `COLUMNS`.
    """
    columns = list(dict.fromkeys(chain(COLUMNS, *rows)))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = {name: row.get(name, math.nan) for name in columns}
        writer.writerow({name: "" if math.isnan(v) else v for name, v in values.items()})
    return text.getvalue()
