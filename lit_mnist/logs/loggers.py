"""At which step loggers are told what, and what they can show."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lightning.fabric.utilities.apply_func import convert_tensors_to_scalars
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from lit_mnist import trainers
from lit_mnist.logs import kept_events, kept_rows


def next_step(trainer: Trainer) -> int:
    """Returns the step at which Lightning logs the results of the next step.

    Under manual optimization it counts batches, however many steps optimizers take in each.
    """
    loop = trainer.fit_loop.epoch_loop
    batches: Any = loop.batch_progress.total
    # Saved in `on_train_batch_end`: Lightning counts that batch when the epoch goes on
    saved_within = loop.restarting and batches.completed < batches.processed
    if not saved_within or loop._should_accumulate():
        return loop._batches_that_stepped
    ends_first = trainers.ends_within_epoch(trainer) or trainers.validation_due(trainer)
    return loop._batches_that_stepped + (not ends_first)


def last_step(trainer: Trainer) -> int:
    """Returns the step at which Lightning logs the results of the last step and its validation."""
    return max(next_step(trainer) - 1, 0)


def written(trainer: Trainer) -> dict[str, Any]:
    """Returns what tells `purge` later what was logged by now: time, files, and rows of tables."""
    tables = [logger for logger in trainer.loggers if isinstance(logger, CSVLogger)]
    rows = {one.experiment.metrics_file_path: kept_rows.count(one) for one in tables}
    boards = [one.log_dir for one in trainer.loggers if isinstance(one, TensorBoardLogger)]
    files = [path.name for folder in boards for path in kept_events.files(folder)]
    return {"time": time.time(), "files": files, "rows": rows}


def due(trainer: Trainer) -> dict[str, Any]:
    """Returns what Lightning logs next, where an epoch ends, as an entry of `written`.

    It computes means over the ranks, so all of them must call it.
    """
    values: Any = convert_tensors_to_scalars(dict(trainer._logger_connector.metrics["log"]))
    if not (values and trainer.loggers):  # none, or they have been told
        return {}
    step = values.pop("step", None)
    if step is None:
        values.setdefault("epoch", trainer.current_epoch)
        step = last_step(trainer)
    return {"due": {"values": values, "step": int(step)}}


def tell(trainer: Trainer, before: Mapping[str, Any]) -> None:
    """Logs what was due when a checkpoint was saved, where `purge` removes it if it was logged."""
    purged = [one for one in trainer.loggers if isinstance(one, (CSVLogger, TensorBoardLogger))]
    for logger in purged if "due" in before else ():
        logger.log_metrics(before["due"]["values"], before["due"]["step"])
        logger.save()


def moved(loggers: Sequence[Logger], before: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what `written` had returned, with the tables of a moved run at their places now.

    A table elsewhere than any before is the one that was at its place among the tables.
    """
    tables = [one for one in loggers if isinstance(one, CSVLogger)]
    paths = dict.fromkeys(one.experiment.metrics_file_path for one in tables)
    told = before.get("rows", {})
    pairs = zip(paths, told.items(), strict=True) if len(paths) == len(told) else ()
    found = {new: rows for new, (old, rows) in pairs if old not in paths}
    return {**before, "rows": {**found, **told}}


def purge(logger: Logger, trainer: Trainer, before: Mapping[str, Any]) -> None:
    """Removes what was logged for the next step and later ones; TensorBoard passes over it.

    So with what was logged at the number of the epoch that goes on, in place of a step: Lightning
    takes for the step what a module logs as `step`, by which users show values over epochs. What
    was logged before the checkpoint was saved stays: it is not logged again. What was due then, at
    the last step, is removed, as `tell` logs it. Other loggers than TensorBoard's and the CSVLogger
    are left as they are.

    Args:
        logger: The logger.
        trainer: The trainer, before its first step.
        before: What `written` returned when the checkpoint was saved, and the first step that is
            logged again if it is not the next; empty if that is not known.
    """
    told = before.get("due", {})
    step = before.get("step", next_step(trainer) - bool(told))
    # in an epoch of one step, results of the last one may be behind the checkpoint, and stay
    numbers = {trainer.current_epoch: step - (not told), told.get("step", step): step}
    as_step = [number for number, end in numbers.items() if before and number < end]
    if isinstance(logger, CSVLogger):
        path = logger.experiment.metrics_file_path
        kept_rows.purge(logger, step, before.get("rows", {}).get(path, 0), as_step)
    elif isinstance(logger, TensorBoardLogger):
        then = before.get("time", 0.0), before.get("files", [])
        kept_events.purge(logger.experiment, step, *then, as_step)


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
