"""Pictures and scores for the loggers that a user adds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from lit_mnist.logs.loggers import (
    add_picture,
    last_step,
    moved,
    purge,
    shows_pictures,
)
from lit_mnist.logs.new_best import best_of_epoch
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
        self.resumes = run.exists() and not fresh

    def begin(self, trainer: Trainer, module: LightningModule, before: Mapping[str, Any]) -> None:
        """Keeps the trainer; purges what the same run has logged from this step on."""
        self.trainer = trainer
        before = moved(trainer.loggers, before) if self.resumes else before
        for logger in trainer.loggers if self.again else ():
            purge(logger, trainer, before)

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
