"""The ledger of the test set: `ledger.csv` in the run's folder, a line for each time it was read.

With enough looks at the test set, a result can be good by luck. So each look is recorded, and
reports state their number. `--fresh` keeps the ledger: a look cannot be undone. A damaged line
counts as a look; nothing repairs it or removes it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from lit_mnist import files

NAME = "ledger.csv"
_COLUMNS = ("when", "weights_sha256", "test_acc", "test_loss", "test_errors")
_HEADER = ",".join(_COLUMNS)


class Ledger(NamedTuple):
    """Content of a ledger.

    Attributes:
        looks: A row for each look, by column; only `when`, as "damaged", of a damaged line.
        damaged: Numbers of the damaged lines, the header being line 1.
    """

    looks: list[dict[str, str]]
    damaged: list[int]


def note(folder: Path, weights_sha256: str, accuracy: float, loss: float, errors: int) -> int:
    """Adds a line to the ledger.

    Args:
        folder: The run's folder.
        weights_sha256: Hash of the tested weights.
        accuracy: Test accuracy, in [0, 1].
        loss: Mean over the test images, in nats.
        errors: Test images that were misclassified.

    Returns:
        How often the test set has been read in this folder, including this time.
    """
    before = _content(folder)
    start = "" if before.endswith("\n") else "\n" if before else f"{_HEADER}\n"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    line = f"{when},{weights_sha256},{accuracy:.6f},{loss:.6f},{errors}\n"
    files.append_text(folder / NAME, start + line)
    return len(read(folder).looks)


def read(folder: Path) -> Ledger:
    """Reads the ledger of a run's folder; it is empty before the first look."""
    lines = _content(folder).split("\n")
    lines = lines[:-1] if not lines[-1] else lines  # the last one ends in a newline, too
    rows = list(map(_row, lines))
    damaged = [place for place, row in enumerate(rows, 1) if not row]
    if lines and not rows[0]:  # the header, and not a look that was left without it
        rows = rows[1:]
        damaged = damaged if lines[0].strip() != _HEADER else damaged[1:]
    return Ledger([row or {"when": "damaged"} for row in rows], damaged)


def _content(folder: Path) -> str:
    path = folder / NAME
    return path.read_bytes().decode(errors="replace") if files.is_file(path) else ""


def _row(line: str) -> dict[str, str]:
    """Returns the cells of a line by column; none if it is damaged."""
    cells = line.strip().split(",")
    try:
        datetime.fromisoformat(cells[0])
        sound = bool(list(map(float, cells[2:]))) and line.strip().isprintable()
    except ValueError:
        sound = False
    return dict(zip(_COLUMNS, cells, strict=True)) if sound and len(cells) == 5 else {}
