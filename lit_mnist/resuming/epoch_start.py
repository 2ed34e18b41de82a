"""Calls the hooks of an epoch's start again, when a run is resumed within the epoch."""

import copy
import warnings
from contextlib import ExitStack
from functools import partial
from operator import methodcaller
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer import call

from lit_mnist import trainers
from lit_mnist.machine.patching import overrides
from lit_mnist.resuming.kept_state import kept_state
from lit_mnist.resuming.own_state import own_state

_HOOK = "on_train_epoch_start"


def call_again(trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Calls `on_train_epoch_start` of the callbacks and of the module, but for those of ours.

    They set up what no checkpoint holds, such as a list, a rate of dropout, or the number of
    batches per step. All that a checkpoint does hold is then as it was before.

    Args:
        trainer: The trainer, whose `on_train_start` hooks have been called.
        checkpoint: What the run is resumed from, as it was before any hook.
    """
    module = trainer.lightning_module
    callbacks = [one for one in trainers.callbacks(trainer) if _has_hook(one, Callback)]
    of_module = _has_hook(module, LightningModule)
    if not callbacks and not of_module:
        return
    with ExitStack() as stack, warnings.catch_warnings(action="ignore"):  # it has warned before
        stack.enter_context(kept_state(trainer))
        for callback in callbacks:
            load = partial(_load, trainer=trainer, checkpoint=checkpoint)
            stack.enter_context(own_state(callback, trainer, load))
        if of_module and overrides(module, LightningModule, "on_load_checkpoint"):
            again = methodcaller("on_load_checkpoint", checkpoint)
            stack.enter_context(own_state(module, trainer, again))
        outer, module._current_fx_name = module._current_fx_name, _HOOK  # for `self.log`
        for callback in callbacks:
            callback.on_train_epoch_start(trainer, module)
        module._current_fx_name = outer
        if of_module:
            call._call_lightning_module_hook(trainer, _HOOK)


def _has_hook(thing: object, base: type) -> bool:
    """Whether it has a hook of its own that is not written here."""
    ours = getattr(type(thing), _HOOK).__module__.startswith("lit_mnist.")
    return overrides(thing, base, _HOOK) and not ours


def _load(callback: Callback, trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Loads a callback's state, as Lightning does."""
    callback.on_load_checkpoint(trainer, trainer.lightning_module, checkpoint)
    state = checkpoint.get("callbacks", {}).get(callback.state_key)
    if state:
        callback.load_state_dict(copy.deepcopy(state))
