"""The command `runs`: a table of all runs under a log folder."""

import argparse
import json
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from lit_mnist.command_line.parsers import SORTS
from lit_mnist.errors import printable
from lit_mnist.runs import listing
from lit_mnist.runs.listing import Listed

HEADER = ("run", "state", "epoch", "val_acc", "test_acc", "95 % interval", "time", "what differs")


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `parsers.Runs`."""
    rows = in_order(listing.read(options.folder), options.sort)
    if options.json:
        print(json.dumps([_json(row._asdict()) for row in rows], indent=2, allow_nan=False))
    elif not rows:
        print(f"{options.folder}: contains no runs; train one with fit")
    else:
        print(table(rows))


def _json(value: Any) -> Any:
    """Returns a value as JSON has it, which knows no infinite numbers: these as texts."""
    if isinstance(value, dict):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def in_order(rows: Sequence[Listed], key: str) -> list[Listed]:
    """Sorts runs stably; those without the key come last."""
    if key not in SORTS:  # by name, as they are listed
        return list(rows)
    field, largest_first = SORTS[key]
    known = [row for row in rows if getattr(row, field) is not None]
    unknown = [row for row in rows if getattr(row, field) is None]
    return [*sorted(known, key=lambda row: getattr(row, field), reverse=largest_first), *unknown]


def table(rows: Sequence[Listed]) -> str:
    """Formats one line per run; a cell is blank where nothing is known."""
    cells = [HEADER, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _cells(row: Listed) -> tuple[str, ...]:
    limit = "" if row.max_epochs in (None, -1) else f"/{row.max_epochs}"
    interval, images = row.test_acc_ci95, row.best_val_images
    return (
        printable(row.run),
        printable(row.state),
        "" if row.epoch is None else f"{row.epoch}{limit}",
        _share(row.best_val_acc) + ("" if images is None else f" of {images:,}"),
        _share(row.test_acc),
        "" if interval is None else " to ".join(map(_share, interval)),
        "" if row.seconds is None else str(timedelta(seconds=round(row.seconds))),
        printable(row.problem or " ".join(f"{k}={_value(v)}" for k, v in row.differs.items())),
    )


def _share(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, (int, float)) else ""


def _value(value: Any) -> str:
    """Formats an option as in YAML."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
