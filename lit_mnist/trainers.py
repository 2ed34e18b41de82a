"""A trainer's callbacks and data module, of which mypy does not know; its precision, its end."""

from pathlib import Path
from typing import Any, TypeVar

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.trainer.states import TrainerFn, TrainerStatus

# How the names of checkpoints begin that Lightning's finders restore after their search
_OF_FINDERS = (".lr_find_", ".scale_batch_size_")
Kind = TypeVar("Kind")


def callbacks(trainer: Trainer) -> list[Callback]:
    """Returns a copy of the list of a trainer's callbacks."""
    return list(trainer.callbacks)  # type: ignore[attr-defined] # set in its __init__, undeclared


def callbacks_of(trainer: Trainer, kind: type[Kind]) -> list[Kind]:
    """Returns those of its callbacks that are of a class."""
    return [one for one in callbacks(trainer) if isinstance(one, kind)]


def surround(trainer: Trainer, first: Callback, last: Callback) -> None:
    """Adds one callback before all others, and one behind them."""
    trainer.callbacks[:] = [first, *callbacks(trainer), last]  # type: ignore[attr-defined] # likewise


def data_module(trainer: Trainer) -> Any:
    """Returns a trainer's data module; the command line always has one."""
    return trainer.datamodule  # type: ignore[attr-defined] # set in its __init__, undeclared


def precision(trainer: Trainer) -> str:
    """Names the precision that a trainer computes in.

    A plugin of the user's is named by its class, as only that tells all. Lightning has autocast
    act on CUDA's devices where an accelerator is of the user's own, so that nothing is rounded on
    others (connectors/accelerator_connector.py, `_check_and_init_precision`).
    """
    plugin = trainer.precision_plugin
    if type(plugin) is MixedPrecision and plugin.device != trainer.strategy.root_device.type:
        return "32-true"
    stock = type(plugin).__module__.startswith("lightning.")
    return str(plugin.precision) if stock else f"{type(plugin).__name__} ({plugin.precision})"


def ends_within_epoch(trainer: Trainer) -> bool:
    """Whether this step is the last of training but not of its epoch.

    It is also asked where a resume begins, of the step behind which the checkpoint was saved.
    """
    stopping = trainer.should_stop and trainer.fit_loop._can_stop_early
    enough = 0 <= trainer.max_steps <= trainer.global_step
    return (stopping or enough) and not trainer.is_last_batch


def validates_next(trainer: Trainer) -> bool:
    """Returns whether a validation follows this step; a run resumed from here would skip it."""
    loop = trainer.fit_loop
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)  # type: ignore[arg-type] # there is one while it trains


def validation_due(trainer: Trainer) -> bool:
    """Whether a run begins behind a step that a validation follows within the epoch.

    `LastCheckpoint` saves there where training ends; the limit may have been raised since.
    Lightning leaves this validation out, and `validate_if_due` makes up for it.
    """
    loop = trainer.fit_loop
    behind_step = loop.restarted_mid_epoch and loop.epoch_loop.restarted_on_train_batch_end
    return behind_step and not trainer.is_last_batch and validates_next(trainer)


def resumes(trainer: Trainer) -> bool:
    """Returns whether training goes on from the checkpoint that is loaded now."""
    loaded = Path(str(trainer.ckpt_path)).name
    return trainer.state.fn == TrainerFn.FITTING and not loaded.startswith(_OF_FINDERS)


def reads_from(trainer: Trainer | None, data: object) -> bool:
    """Returns whether a data module gives the batches, and not loaders that a trainer was given.

    A trainer keeps the data module of an earlier call and sets it up again beside the loaders.

    Args:
        trainer: The data module's trainer, if it has one.
        data: The data module.
    """
    state = None if trainer is None else trainer.state
    if state is None or state.fn is None or state.status != TrainerStatus.RUNNING:
        return True  # called by hand
    source = getattr(trainer, f"{state.fn.value}_loop")._data_source
    return source.instance is data
