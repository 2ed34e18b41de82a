"""Reads `results.json`, which anyone may edit, and checks the kind of each entry that is used."""

import json
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

from lit_mnist import files
from lit_mnist.errors import UserError

Kind = Callable[[Any], bool]


def read(path: Path) -> dict[str, Any]:
    """Returns the content of a run's `results.json`; empty if there is none.

    Raises:
        UserError: It is no file, no JSON object, or an entry is of the wrong kind; names the entry.
    """
    if not files.is_file(path):
        return {}
    problem = ""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        wrong = [name for name in KINDS.keys() & content.keys() if not KINDS[name](content[name])]
        if not wrong:
            return content
        problem = f", its entry {min(wrong)} is of the wrong kind"
    raise UserError(f"{path}: damaged{problem}; remove it, and fit and test write it again")


def _one(*types: type) -> Kind:
    return lambda value: isinstance(value, types)


def _list(kind: Kind, count: int | None = None) -> Kind:
    return lambda value: (
        isinstance(value, list) and count in (None, len(value)) and all(map(kind, value))
    )


def _mapping(**kinds: Kind) -> Kind:
    return lambda value: (
        isinstance(value, dict)
        and all(kinds[name](value[name]) for name in kinds.keys() & value.keys())
    )


def _same(kind: Kind, *names: str) -> dict[str, Kind]:
    return dict.fromkeys(names, kind)


NUMBER, TEXT = _one(int, float), _one(str)
_NUMBER_OR_NULL = _one(int, float, NoneType)
_INTERVAL = _list(NUMBER, 2)
_SCORES = _mapping(**_same(NUMBER, "nll", "brier", "ece", "aurc"), ece_ci95=_INTERVAL)
_ROW = _mapping(
    **_same(NUMBER, "val_errors_allowed", "threshold"),
    **_same(NUMBER, "val_coverage", "test_coverage", "test_errors"),
)
_MEMBER = _mapping(
    run=TEXT,
    **_same(_NUMBER_OR_NULL, "epoch", "val_acc", "val_images"),
    **_same(NUMBER, "test_acc", "test_loss", "test_errors", "test_images"),
)
KINDS: dict[str, Kind] = {
    **_same(NUMBER, "seed", "fold", "epochs", "steps", "seconds", "parameters"),
    **_same(NUMBER, "best_epoch", "best_val_acc", "best_val_loss", "best_val_images"),
    **_same(NUMBER, "best_file_touched"),
    **_same(NUMBER, "test_acc", "test_loss", "test_errors", "test_images", "test_reads"),
    **_same(TEXT, "status", "name", "model", "dataset", "hardware", "precision", "ended_by"),
    **_same(TEXT, "data_sha256", "test_data_sha256", "test_weights_sha256", "started_from"),
    "test_acc_ci95": _INTERVAL,
    "test_average": _one(str, NoneType),
    "test_unrecorded": _mapping(reason=TEXT),
    "test_checkpoints": _list(TEXT),
    "versions": _mapping(),
    "members": _list(_MEMBER),
    "calibration": _mapping(
        missing=TEXT,
        **_same(NUMBER, "temperature", "threshold"),
        **_same(_SCORES, "test", "test_scaled"),
        abstention=_list(_ROW),
    ),
    "cascade": _mapping(thresholds=_list(NUMBER), members_sha256=_list(TEXT)),
    "out_of_fold": _mapping(
        **_same(NUMBER, "acc", "errors", "images"),
        **_same(TEXT, "average", "weights_sha256"),
        acc_ci95=_INTERVAL,
        members_by_fold=_list(NUMBER),
        checkpoints=_list(TEXT),
    ),
}
