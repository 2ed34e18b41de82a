"""A run's epochs for TensorBoard: training and validation in one chart, an epoch a step.

TensorBoard draws what has one tag in several folders into one chart, so training and validation
have a folder each below the run's. `final` is apart because the tab HParams takes every scalar of
its folder for a result. No list of options is declared there: without one, TensorBoard finds by
itself which options differ between runs, and shows those first. Charts stand in the order of their
tags: `by_epoch` is before the pictures `confusion` and `curves`.
"""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any

from lit_mnist.runs.config_changes import hparams
from lit_mnist.runs.folder import FINAL, Run

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# Below the run's folder: tag, and the column of metrics.csv
SERIES = {
    "train": {
        "by_epoch/accuracy": "train_acc",
        "by_epoch/loss": "train_loss",
        "by_epoch/lr": "lr",
        "by_epoch/seconds": "seconds",
    },
    "val": {"by_epoch/accuracy": "val_acc", "by_epoch/loss": "val_loss"},
}


class EpochBoard:
    """Writes rows of `metrics.csv` down for TensorBoard; to be used on rank zero alone.

    Args:
        run: The folder.
        config: The resolved config.
    """

    def __init__(self, run: Run, config: Mapping[str, Any]) -> None:
        self.run, self.config = run, config
        self.writers: dict[str, SummaryWriter] = {}

    def write(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Adds the last of the rows.

        The first one that a process adds takes back what one that was killed has said of this epoch
        and of later ones.
        """
        row, epoch = rows[-1], int(rows[-1]["epoch"])
        if not self.writers:
            self._open(epoch)
        for part, columns in SERIES.items():
            for tag, column in columns.items():
                if not isnan(row.get(column, nan)):
                    self.writers[part].add_scalar(tag, row[column], epoch)
        for name, value in best_of_epoch(rows, self.run.results()).items():
            self.writers[FINAL].add_scalar(f"final/{name}", value, epoch)
        for writer in self.writers.values():
            writer.flush()

    def close(self) -> None:
        """Closes the files; the next row opens others."""
        for writer in self.writers.values():
            writer.close()
        self.writers = {}

    def _open(self, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge = epoch or None
        self.writers = {
            part: SummaryWriter(str(self.run.file(part)), purge_step=purge)
            for part in (*SERIES, FINAL)
        }
        start_session(self.writers[FINAL], self.config)


def best_of_epoch(
    rows: Sequence[Mapping[str, float]], results: Mapping[str, Any]
) -> dict[str, float]:
    """Gives best_val_acc and best_val_loss, if the last row's epoch has bettered them; else none.

    A row has its epoch's last validation alone. Of earlier ones `results.json` tells the best; and
    of the last one only later, as the row is written first.

    Args:
        rows: Of `metrics.csv`.
        results: What `results.json` says.
    """
    row, names = rows[-1], ("val_acc", "val_loss")
    before = [other.get("val_acc", nan) for other in rows[:-1]]
    known = results.get("best_val_acc", nan)
    if not isnan(row.get("val_acc", nan)) and not any(
        score >= row["val_acc"] for score in (*before, known)
    ):
        return {f"best_{name}": row[name] for name in names if name in row}
    if results.get("best_epoch") != row["epoch"]:
        return {}
    return {f"best_{name}": results[f"best_{name}"] for name in names if f"best_{name}" in results}


def start_session(writer: "SummaryWriter", config: Mapping[str, Any]) -> None:
    """Tells the tab HParams the options of a run."""
    from torch.utils.tensorboard.summary import hparams as session

    _, start, _ = session(hparams(dict(config)), {})
    writer._get_file_writer().add_summary(start)


def add_test(run: Run, config: Mapping[str, Any], scores: Mapping[str, float], epoch: int) -> None:
    """Sets a test's scores in HParams, in place of those of the test before.

    Args:
        run: The folder.
        config: The resolved config.
        scores: Such as test_acc and test_loss.
        epoch: Of the tested weights.
    """
    from torch.utils.tensorboard import SummaryWriter

    withdraw_test(run)
    with SummaryWriter(str(run.file(FINAL)), filename_suffix=".test") as writer:
        start_session(writer, config)
        for name, value in scores.items():
            writer.add_scalar(f"final/{name}", value, epoch)


def withdraw_test(run: Run) -> None:
    """Takes the scores of a test out of HParams: it was of other weights than there are now."""
    for path in run.file(FINAL).glob("events.out.tfevents.*.test"):
        path.unlink()
