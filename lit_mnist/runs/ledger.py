"""The ledger of the test set: a line in the run's folder for each time that it was read.

Who looks often enough finds a lucky weight; so each look is written down, and the number of looks
stands in the report. `--fresh` keeps the ledger: what was seen stays seen.
"""

from datetime import UTC, datetime
from pathlib import Path

from lit_mnist import files

NAME = "ledger.csv"
_HEADER = "when,weights_sha256,test_acc,test_loss,test_errors\n"


def note(folder: Path, weights_sha256: str, accuracy: float, loss: float, errors: int) -> int:
    """Adds a line.

    Args:
        folder: The run's folder.
        weights_sha256: Which weights were tested.
        accuracy: Share of the test images, in [0, 1].
        loss: Mean over the test images, in nats.
        errors: Test images that were misclassified.

    Returns:
        How often the test set has been read in this folder, this time included.
    """
    path = folder / NAME
    # What is damaged in it stays seen: it counts, and stops nothing
    lines = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = lines or _HEADER
    lines += "" if lines.endswith("\n") else "\n"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    lines += f"{when},{weights_sha256},{accuracy:.6f},{loss:.6f},{errors}\n"
    files.write_text(path, lines)
    return lines.count("\n") - 1
