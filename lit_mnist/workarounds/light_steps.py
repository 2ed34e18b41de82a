"""A work-around: training steps without needless overhead."""

import functools
from contextlib import AbstractContextManager, nullcontext
from operator import is_
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loops import training_epoch_loop
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.trainer import call

from lit_mnist.machine.patching import overrides, replaced

Change = tuple[Any, str, Any]  # of an attribute, as `replaced` takes it

# Hooks of a training step that do nothing unless they are overridden
_STEP_HOOKS = {
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
}


class _Acting:
    """Which callbacks have a step's hook of their own; not asked at each step.

    `fit` has some forty callbacks, of which a few have each of these hooks. They are asked again
    once another hook was called, such as those of an epoch's start.
    """

    def __init__(self) -> None:
        self.known: dict[str, tuple[list[Any], list[Any]]] = {}

    def forget(self) -> None:
        """Asks again at the next step."""
        self.known.clear()

    def at(self, hook: str, callbacks: list[Any]) -> list[Any]:
        """Returns those of `callbacks` that have the hook."""
        asked, active = self.known.get(hook, ([], []))
        if len(asked) != len(callbacks) or not all(map(is_, asked, callbacks)):
            active = [one for one in callbacks if overrides(one, Callback, hook)]
            self.known[hook] = list(callbacks), active
        return active


def light_steps() -> AbstractContextManager[None]:
    """Removes needless overhead from a training step (Lightning #6196, #8857).

    Lightning calls every hook of every callback and of the module, empty or not, names and times
    each call even without a profiler, inspects the signature of `training_step` at every step, and
    looks at the name of each hook as if it were a weight. benchmarks/barebones.py compares what is
    left with stock Lightning.
    """
    remembered = functools.lru_cache(8)(training_epoch_loop.is_param_in_hook_signature)
    return replaced(
        *_of_callbacks(),
        _of_the_module(),
        _of_profiling(),
        _of_names(),
        (training_epoch_loop, "is_param_in_hook_signature", remembered),
    )


def _of_callbacks() -> list[Change]:
    """Calls the step hooks of those callbacks alone that have them."""
    acting, call_any = _Acting(), call._call_callback_hooks

    @functools.wraps(call_any)
    def hooks(trainer: Trainer, hook: str, *args: Any, **kwargs: Any) -> None:
        if hook not in _STEP_HOOKS or type(trainer.profiler) is not PassThroughProfiler:  # type: ignore[attr-defined] # set in its __init__
            acting.forget()
            call_any(trainer, hook, *args, **kwargs)
            return
        active = acting.at(hook, trainer.callbacks)  # type: ignore[attr-defined] # likewise
        if active:
            model: Any = trainer.lightning_module
            previous, model._current_fx_name = model._current_fx_name, hook  # which `log` asks for
            for one in active:
                getattr(one, hook)(trainer, model, *args, **kwargs)
            model._current_fx_name = previous

    def set_hook(self: Callback, name: str, value: Any) -> None:
        if name in _STEP_HOOKS:  # on the instance alone
            acting.forget()
        super(Callback, self).__setattr__(name, value)  # another base's, such as nn.Module's

    return [(call, "_call_callback_hooks", hooks), (Callback, "__setattr__", set_hook)]


def _of_the_module() -> Change:
    """Calls the step hooks of a module that has them."""
    call_any = call._call_lightning_module_hook

    @functools.wraps(call_any)
    def hooks(trainer: Trainer, hook: str, *args: Any, **kwargs: Any) -> Any:
        if hook in _STEP_HOOKS and not overrides(trainer.lightning_module, LightningModule, hook):
            return None
        return call_any(trainer, hook, *args, **kwargs)

    return call, "_call_lightning_module_hook", hooks


def _of_profiling() -> Change:
    """Times nothing without a profiler."""
    timed, nothing = PassThroughProfiler.profile, nullcontext()

    def profile(self: PassThroughProfiler, action: str) -> AbstractContextManager[Any]:
        # A user's subclass may time every action
        return nothing if type(self) is PassThroughProfiler else timed(self, action)

    return PassThroughProfiler, "profile", profile


def _of_names() -> Change:
    """Notes the name of the present hook without asking whether it is a weight or a layer."""

    def set_attribute(self: LightningModule, name: str, value: Any) -> None:
        if name == "_current_fx_name":  # two dozen times a step
            vars(self)[name] = value
        else:
            super(LightningModule, self).__setattr__(name, value)

    return LightningModule, "__setattr__", set_attribute
