"""The run's own TensorBoard logger, and pictures and scores for the loggers that a user adds."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto import event_pb2  # type: ignore[import-untyped] # has no types

from lit_mnist.logs import kept_rows
from lit_mnist.logs.validated import Validated
from lit_mnist.runs.folder import Run


class RunLogger(TensorBoardLogger):
    """TensorBoard logger of a run's scalars over its steps, without duplicates.

    It leaves out `hparams.yaml`, an incomplete copy of `config.yaml`, and `epoch`, which Lightning
    would log twice at the end of each epoch.
    """

    tested_step: int | None = None  # of the weights that are tested; None while training
    outdated: Sequence[Path] = ()  # files of an earlier test of the same weights
    withheld = False  # whether the test does not count, so that nothing is logged or replaced
    begun = False  # whether training has begun or a test has logged its scores

    def set_test_step(self, step: int) -> None:
        """Logs a test's scores at the step of the tested weights, replacing an earlier test's."""
        self.tested_step = step
        ending = f".test_{step}"
        self._kwargs["filename_suffix"] = ending
        self.outdated = [*Path(self.log_dir).glob(f"events.out.tfevents.*{ending}")]

    def resume_at(self, step: int) -> None:
        """Purges what a killed process logged for this step and later ones."""
        self.begun = True
        purge(self, step)

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Logs scalars, unless they are of a test that does not count."""
        if self.withheld:
            return
        self.begun = True
        # Lightning adds `epoch` to what is logged at the end of a test, under any names
        scores = "epoch" in metrics or any(name.startswith("test_") for name in metrics)
        if self.tested_step is not None and scores:
            step = self.tested_step
            for path in self.outdated:
                path.unlink(missing_ok=True)
        super().log_metrics({k: v for k, v in metrics.items() if k != "epoch"}, step)

    def save(self) -> None:
        """Flushes the scalars, if any: a run that failed early leaves no folder."""
        if self._experiment is not None:
            self._experiment.flush()

    def finalize(self, status: str) -> None:
        """Closes the file, and removes it if what was to be logged in it was refused."""
        written = None if self.begun or self._experiment is None else self._experiment.file_writer
        super().finalize(status)
        if written:
            Path(written.event_writer._file_name).unlink()


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
        self.again = fresh or run.exists() or run.file("results.json").exists()

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


def next_step(trainer: Trainer) -> int:
    """Returns the step at which Lightning logs the results of the next step.

    Under manual optimization it counts batches, however many steps optimizers take in each.
    """
    loop = trainer.fit_loop.epoch_loop
    batches: Any = loop.batch_progress.total
    # Saved in `on_train_batch_end`: Lightning counts that batch when the epoch goes on
    saved_within = loop.restarting and batches.completed < batches.processed
    return loop._batches_that_stepped + (saved_within and not loop._should_accumulate())


def last_step(trainer: Trainer) -> int:
    """Returns the step at which Lightning logs the results of the last step and its validation."""
    return max(next_step(trainer) - 1, 0)


def purge(logger: Logger, step: int) -> None:
    """Removes what was logged for this step and later ones; TensorBoard passes over it.

    Other loggers than TensorBoard's and the CSVLogger are left as they are.
    """
    if isinstance(logger, CSVLogger):
        kept_rows.purge(logger, step)
    elif isinstance(logger, TensorBoardLogger):
        session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        writer = logger.experiment._get_file_writer()
        writer.add_event(event_pb2.Event(step=step, session_log=session))


def set_tested_step(trainer: Trainer, step: int) -> None:
    """Tells the run's own logger the step of the weights that are tested."""
    for logger in trainer.loggers:
        if isinstance(logger, RunLogger):
            logger.set_test_step(step)


def withhold(trainer: Trainer) -> None:
    """Tells the run's own logger that the test does not count: an earlier one's scores stay."""
    for logger in trainer.loggers:
        if isinstance(logger, RunLogger):
            logger.withheld = True


def shows_pictures(logger: Logger) -> bool:
    """Whether a logger accepts pictures: TensorBoard's, Wandb's, and their subclasses.

    A `log_image` of a user's own logger may take anything.
    """
    return isinstance(logger, (TensorBoardLogger, WandbLogger))


def add_picture(logger: Any, name: str, picture: np.ndarray, step: int) -> None:
    """Adds a picture, uint8 (H, W, 3), to a logger that accepts pictures; call it on rank zero."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, picture, step, dataformats="HWC")
    elif shows_pictures(logger):
        logger.log_image(name, [picture], step)
