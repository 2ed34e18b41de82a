"""A work-around: what a module's `configure_callbacks` returns is checked, and put in its place."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import SpikeDetection
from lightning.pytorch.trainer.connectors.callback_connector import (
    _CallbackConnector,
    _validate_callbacks_list,
)
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist import trainers
from lit_mnist.errors import UserError
from lit_mnist.machine.patching import replaced
from lit_mnist.training.best_checkpoint import BestCheckpoint
from lit_mnist.training.changed_images import AfterChanges
from lit_mnist.training.checkpointing import LastCheckpoint, WholeSteps
from lit_mnist.training.swapped_weights import AfterCallbacks

# They save, or look at, what all others have done
_LAST = (WholeSteps, BestCheckpoint, LastCheckpoint, AfterCallbacks, AfterChanges)


def module_callbacks() -> AbstractContextManager[None]:
    """Treats the callbacks that a module brings as those of the options.

    Lightning puts a module's ModelCheckpoint behind ours, which would then hold its state of the
    epoch before, and it does not check what a module brings
    (lightning/pytorch/trainer/connectors/callback_connector.py, `_attach_model_callbacks`).
    """
    attach = _CallbackConnector._attach_model_callbacks

    @functools.wraps(attach)
    def in_place(connector: Any) -> None:
        trainer = connector.trainer
        before = trainer.callbacks
        try:
            attach(connector)
            _check(trainer)
        except UserError:
            trainer.callbacks = before  # which are told of the error
            raise
        trainer.callbacks = sorted(trainer.callbacks, key=lambda one: isinstance(one, _LAST))
        if trainer.state.fn != TrainerFn.FITTING:  # where it has nothing to do, nor loads its state
            kept = [one for one in trainer.callbacks if not isinstance(one, SpikeDetection)]
            trainer.callbacks = kept

    return replaced((_CallbackConnector, "_attach_model_callbacks", in_place))


def _check(trainer: Trainer) -> None:
    """Checks that all are callbacks, each with a place of its own in a checkpoint."""
    hook = f"{type(trainer.lightning_module).__name__}.configure_callbacks"
    callbacks: list[Any] = trainers.callbacks(trainer)  # of any kind, as a user gives them
    for one in callbacks:
        if not isinstance(one, Callback):
            kind = one if isinstance(one, type) else type(one)
            what = "the class" if one is kind else "an object of"
            raise UserError(
                f"{hook} returns {what} {kind.__module__}.{kind.__qualname__}; return objects of"
                " classes derived from lightning.pytorch.Callback"
            )
    try:
        _validate_callbacks_list(callbacks)
    except RuntimeError as error:
        found = str(error).partition(".")[0]
        raise UserError(f"{hook}: {found}; give each a state_key of its own") from error
