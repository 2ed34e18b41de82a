"""The scores of a new best epoch, for which pictures are logged."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any


def best_of_epoch(
    rows: Sequence[Mapping[str, float]], results: Mapping[str, Any]
) -> dict[str, float]:
    """Returns best_val_acc and best_val_loss if the last row's epoch improved them; else nothing.

    A row holds only its epoch's last validation. The best of earlier validations is in
    `results.json`, which is updated after the row is written, and which holds no score of other
    images or of weights that were not saved, as rows may.

    Args:
        rows: Rows of `metrics.csv`.
        results: Content of `results.json`.
    """
    row, names = rows[-1], ("val_acc", "val_loss")
    before = [other.get("val_acc", nan) for other in rows[:-1]]
    known = results.get("best_val_acc", nan)
    to_beat = before if isnan(known) else [known]
    if not isnan(row.get("val_acc", nan)) and not any(score >= row["val_acc"] for score in to_beat):
        return {f"best_{name}": row[name] for name in names if name in row}
    if results.get("best_epoch") != row["epoch"]:
        return {}
    return {f"best_{name}": results[f"best_{name}"] for name in names if f"best_{name}" in results}
