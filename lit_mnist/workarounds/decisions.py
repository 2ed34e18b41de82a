"""Work-arounds on several ranks: what Lightning lets each decide for itself, all decide together.

Ranks that decide differently wait for each other for ever, or train different models.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from inspect import unwrap  # so that ranks wait for each other once, also in a context in another
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector
from lightning.pytorch.tuner import lr_finder
from lightning.pytorch.tuner.lr_finder import _LRCallback
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from lit_mnist.machine.patching import replaced
from lit_mnist.models.plateau import mean_over_ranks


def one_schedule() -> AbstractContextManager[None]:
    """Steps a ReduceLROnPlateau by the mean over ranks of what it monitors.

    Lightning steps it on each rank by that rank's own value
    (lightning/pytorch/loops/training_epoch_loop.py, `_get_monitor_value`).
    """
    get = unwrap(_TrainingEpochLoop._get_monitor_value)

    @functools.wraps(get)
    def mean(loop: Any, key: str) -> Tensor | None:
        value: Tensor | None = get(loop, key)
        return None if value is None else mean_over_ranks(loop.trainer, value)

    return replaced((_TrainingEpochLoop, "_get_monitor_value", mean))


def one_moment_to_validate() -> AbstractContextManager[None]:
    """Validates on all ranks once the time of `val_check_interval` is up on one of them.

    Lightning has each rank look at its own clock, and wait in vain for the others
    (lightning/pytorch/loops/training_epoch_loop.py, `_should_check_val_fx`).
    """
    ask = unwrap(_TrainingEpochLoop._should_check_val_fx)

    @functools.wraps(ask)
    def together(loop: Any, fetcher: Any) -> bool:
        due, trainer = bool(ask(loop, fetcher)), loop.trainer
        if trainer.world_size == 1 or trainer._val_check_time_interval is None:
            return due
        return bool(trainer.strategy.reduce_boolean_decision(due, all=False))

    return replaced((_TrainingEpochLoop, "_should_check_val_fx", together))


def one_search() -> AbstractContextManager[None]:
    """Searches a learning rate by the loss of all images of a step, not of rank zero's alone.

    On any number of ranks, LearningRateFinder then finds the rate that it finds on one
    (lightning/pytorch/tuner/lr_finder.py, `_LRCallback.on_train_batch_end`).
    """
    note = unwrap(_LRCallback.on_train_batch_end)

    @functools.wraps(note)
    def over_ranks(
        callback: Any, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs if isinstance(outputs, Tensor) else (outputs or {}).get("loss")
        if loss is not None:
            outputs = {"loss": mean_over_ranks(trainer, loss)}
        note(callback, trainer, pl_module, outputs, batch, batch_idx)

    return replaced((_LRCallback, "on_train_batch_end", over_ranks))


def no_return_by_one() -> AbstractContextManager[None]:
    """Ends a search at an error on several ranks as it is, be it Ctrl-C on one of them.

    To load what was before the search takes all ranks. Lightning has one that fails alone wait for
    the others, which wait for it in a step (lightning/pytorch/tuner/lr_finder.py, `_lr_find`).
    """
    run, restore = unwrap(lr_finder._try_loop_run), unwrap(_CheckpointConnector.restore)

    @functools.wraps(run)
    def noting(trainer: Any, params: Any) -> None:
        try:
            run(trainer, params)
        except BaseException as error:
            trainer._checkpoint_connector.failed = error if trainer.world_size > 1 else None
            raise

    @functools.wraps(restore)
    def restoring(connector: Any, path: Any = None, **options: Any) -> None:
        if error := getattr(connector, "failed", None):
            connector.trainer.strategy.remove_checkpoint(path)
            raise error
        restore(connector, path, **options)

    return replaced(
        (lr_finder, "_try_loop_run", noting), (_CheckpointConnector, "restore", restoring)
    )


def no_rescue_by_one() -> AbstractContextManager[None]:
    """Saves no checkpoint at an error on several ranks, unless it is a SIGTERM, which all heed.

    To save takes all ranks. Lightning has one that fails alone wait for the others, which wait for
    it elsewhere, before the error is printed (lightning/pytorch/trainer/trainer.py,
    `save_checkpoint`).
    """

    def guarded(save: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(save)
        def by_all(callback: Any, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            if trainer.world_size == 1 or isinstance(exception, SIGTERMException):
                save(callback, trainer, pl_module, exception)
            elif getattr(callback, "save_on_exception", True):
                name = type(callback).__name__
                rank_zero_info(f"{name}: saves nothing at an error of several ranks; see last.ckpt")

        return by_all

    kinds = (ModelCheckpoint, OnExceptionCheckpoint)
    return replaced(*((kind, "on_exception", guarded(kind.on_exception)) for kind in kinds))
