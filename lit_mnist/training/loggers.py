"""The run's own TensorBoard logger, and pictures and scores for those that a user names."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto import event_pb2  # type: ignore[import-untyped] # has no types

from lit_mnist.runs.folder import Run
from lit_mnist.training.validated import Validated


class RunLogger(TensorBoardLogger):
    """Draws a run's scalars over its steps, and none of them twice.

    It leaves out `hparams.yaml`, an empty second copy of what `config.yaml` says in full, and
    `epoch`, which Lightning writes with every set of scalars, so twice at the end of each.
    """

    tested_step = 0
    outdated: Sequence[Path] = ()  # of an earlier test of the same weights

    def of_test(self, step: int) -> None:
        """Sets a test's scores at the step of the tested weights, in place of those of before."""
        self.tested_step = step
        ending = f".test_{step}"
        self._kwargs["filename_suffix"] = ending
        self.outdated = [*Path(self.log_dir).glob(f"events.out.tfevents.*{ending}")]

    def go_on(self, step: int) -> None:
        """Takes back what a process that was killed has said of this step and of later ones."""
        session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        writer = self.experiment._get_file_writer()
        writer.add_event(event_pb2.Event(step=step, session_log=session))

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Writes scalars."""
        if any(name.startswith("test_") for name in metrics):
            step = self.tested_step
            for path in self.outdated:
                path.unlink(missing_ok=True)
        super().log_metrics({k: v for k, v in metrics.items() if k != "epoch"}, step)

    def save(self) -> None:
        """Flushes the scalars, if there are any: a run that failed early leaves no folder."""
        if self._experiment is not None:
            self._experiment.flush()


class LoggerBoard:
    """Hands what each epoch shows to the loggers that a user names.

    What modules log, Lightning hands on to them itself.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def begin(self, trainer: Trainer, module: LightningModule) -> None:
        """Notes the trainer."""
        self.trainer = trainer

    def first_batch(self, picture: np.ndarray) -> None:
        """Shows what the net is first trained on."""
        self._add({"first_batch": picture})

    def write(self, rows: Sequence[Mapping[str, float]], seen: Validated | None) -> None:
        """Logs seconds and the recall of each class, and shows pictures of a new best epoch."""
        scores = {"seconds": rows[-1]["seconds"], "epoch": rows[-1]["epoch"]}
        if seen:
            scores |= {f"recall_{name}": value for name, value in seen.recalls().items()}
        for logger in self.trainer.loggers:
            logger.log_metrics(scores, last_step(self.trainer))
        if (
            seen
            and best_of_epoch(rows, self.run.results())
            and any(map(shows_pictures, self.trainer.loggers))
        ):
            self._add({f"val_{name}": one for name, one in seen.pictures().items()})

    def close(self) -> None:
        """Leaves them to Lightning."""

    def _add(self, pictures: Mapping[str, np.ndarray]) -> None:
        for name, picture in pictures.items():
            for logger in self.trainer.loggers:
                add_picture(logger, name, picture, last_step(self.trainer))


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


def last_step(trainer: Trainer) -> int:
    """Gives the step at which Lightning logs what the last step and its validation have found."""
    return max(trainer.global_step - 1, 0)


def set_tested_step(trainer: Trainer, step: int) -> None:
    """Tells the run's own logger which weights are to be tested."""
    for logger in trainer.loggers:
        if isinstance(logger, RunLogger):
            logger.of_test(step)


def shows_pictures(logger: Logger) -> bool:
    """Whether a logger takes pictures: TensorBoard's, and those with WandbLogger's `log_image`."""
    return isinstance(logger, TensorBoardLogger) or hasattr(logger, "log_image")


def add_picture(logger: Any, name: str, picture: np.ndarray, step: int) -> None:
    """Adds a picture, uint8 (H, W, 3), to a logger that takes any; to be called on rank zero."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, picture, step, dataformats="HWC")
    elif shows_pictures(logger):
        logger.log_image(name, [picture], step)
