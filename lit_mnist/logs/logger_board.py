"""Pictures and scores for the loggers that a user adds."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from lit_mnist.logs.loggers import add_picture, last_step, next_step, purge, shows_pictures
from lit_mnist.logs.validated import Validated
from lit_mnist.runs.folder import Run


class LoggerBoard:
    """Passes pictures and results of each epoch to the loggers that a user adds.

    Lightning itself passes on the metrics that modules log.

    Args:
        run: The folder.
        fresh: Whether the run replaces an earlier one.
    """

    def __init__(self, run: Run, fresh: bool = False) -> None:
        self.run = run
        # another run's rows may be in a table that a new one only adds to
        self.again = fresh or run.exists() or run.results_json.exists()

    def begin(self, trainer: Trainer, module: LightningModule) -> None:
        """Keeps the trainer; purges what the same run has logged from this step on."""
        self.trainer = trainer
        for logger in trainer.loggers if self.again else ():
            purge(logger, next_step(trainer))

    def first_batch(self, picture: np.ndarray) -> None:
        """Shows the first augmented batch."""
        self._add({"first_batch": picture})

    def write(self, rows: Sequence[Mapping[str, float]], seen: Validated | None) -> None:
        """Logs seconds and the recall of each class, and pictures of a new best epoch."""
        scores = {"seconds": rows[-1]["seconds"], "epoch": rows[-1]["epoch"]}
        if seen:
            scores |= {f"recall_{name}": value for name, value in seen.recalls().items()}
        for logger in self.trainer.loggers:
            logger.log_metrics(scores, last_step(self.trainer))
            logger.save()  # as Lightning does behind what it logs
        if (
            seen
            and best_of_epoch(rows, self.run.results())
            and any(map(shows_pictures, self.trainer.loggers))
        ):
            self._add({f"val_{name}": one for name, one in seen.pictures().items()})

    def close(self) -> None:
        """Does nothing: Lightning closes the loggers."""

    def _add(self, pictures: Mapping[str, np.ndarray]) -> None:
        for name, picture in pictures.items():
            for logger in self.trainer.loggers:
                add_picture(logger, name, picture, last_step(self.trainer))


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
