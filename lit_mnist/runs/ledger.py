"""The ledger of the test set: `ledger.csv` in the run's folder, a line for each time it was read.

With enough looks at the test set, a result can be good by luck. So each look is recorded, and
reports state their number. `--fresh` keeps the ledger: a look cannot be undone.
"""

from datetime import UTC, datetime
from pathlib import Path

from lit_mnist import files

NAME = "ledger.csv"
_HEADER = "when,weights_sha256,test_acc,test_loss,test_errors\n"


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
    path = folder / NAME
    # A damaged line still counts as a look, and does not stop the test
    lines = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = lines or _HEADER
    lines += "" if lines.endswith("\n") else "\n"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    lines += f"{when},{weights_sha256},{accuracy:.6f},{loss:.6f},{errors}\n"
    files.write_text(path, lines)
    return lines.count("\n") - 1
