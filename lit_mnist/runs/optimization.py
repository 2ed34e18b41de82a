"""The optimizers and schedules of a module, built before training begins.

A copy of the module builds them: a user's method may register hooks or keep what it has computed,
and training calls it again.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning, StochasticWeightAveraging
from lightning.pytorch.core.optimizer import _configure_optimizers
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch.optim import Optimizer

from lit_mnist import trainers
from lit_mnist.runs.copies import copied

# Callbacks that replace the module's optimizers or schedules during training
REBUILDERS = (BaseFinetuning, StochasticWeightAveraging)
# Hooks that come before Lightning loads the optimizers' states
_BEFORE = ("setup", "configure_model", "on_load_checkpoint", "load_state_dict", "on_fit_start")
# Stands for the length of training, which is unknown before the data are: any will do that leaves
# each phase of a schedule a step
_STEPS = 10_000


def optimization(
    trainer: Trainer, model: LightningModule
) -> tuple[list[Optimizer], list[Any] | None]:
    """Builds the optimizers and schedules of a model that has no trainer yet.

    Args:
        trainer: The trainer that will train the model.
        model: The model, which is left unchanged.

    Returns:
        The optimizers, empty if they cannot be known in advance; and the schedules, None if these
        cannot.
    """
    given = trainer, model
    plain = isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy))  # others shard
    if not plain or any(
        isinstance(one, REBUILDERS) for one in (*trainers.callbacks(trainer), *brought(*given))
    ):
        return [], None
    # It may ask its trainer, or lack what its `setup` sets; a mistake comes up again in training
    with suppress(Exception):
        return _listed(copied(model).configure_optimizers())
    # The form of the schedules may depend on the length of training
    return _ask(trainer, model, lambda asked: _listed(asked.configure_optimizers())[0]) or [], None


def brought(trainer: Trainer, model: LightningModule) -> list[Callback]:
    """Returns the callbacks that a model's `configure_callbacks` brings, as far as it can tell."""
    found = _ask(trainer, model, lambda asked: asked.configure_callbacks()) or ()
    several = found if isinstance(found, Iterable) else [found]
    return [one for one in several if isinstance(one, Callback)]  # training refuses others


def known_groups(trainer: Trainer, model: LightningModule) -> bool:
    """Whether no hook of a user may change the optimizers' groups before their states are loaded.

    One may freeze a layer, or add a group again that training has added.
    """
    ones = (model, *trainers.callbacks(trainer), *brought(trainer, model))
    hooks = [getattr(one, name, None) for one in ones for name in _BEFORE]
    roots = {str(hook.__module__).partition(".")[0] for hook in hooks if hook}  # None: built in
    return roots <= {"lit_mnist", "lightning", "torch"}


def _listed(made: Any) -> tuple[list[Optimizer], list[Any]]:
    if made is None:  # nothing is trained
        return [], []
    optimizers, schedules, _ = _configure_optimizers(made)
    return optimizers, [one["scheduler"] if isinstance(one, dict) else one for one in schedules]


def _ask(
    trainer: Trainer, model: LightningModule, question: Callable[[LightningModule], Any]
) -> Any:
    """Asks a model that needs its trainer; None if it cannot answer yet."""
    asked = copied(model)
    asked.trainer = _StandIn(trainer)  # type: ignore[assignment] # it answers as one
    try:
        return question(asked)
    except Exception:  # what the trainer does not know yet; a mistake comes up again in training
        return None
    finally:
        asked.trainer = None


class _StandIn:
    """A stand-in that returns a number of steps, for which the real trainer would load the data."""

    estimated_stepping_batches = _STEPS

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)


def kinds(
    optimizers: Iterable[Optimizer] | None, schedules: Iterable[Any] | None
) -> dict[str, list[str]]:
    """Names the classes of those that are known; none can continue with the state of another."""
    made = {"optimizers": optimizers, "schedules": schedules}
    known = {what: ones for what, ones in made.items() if ones is not None}
    return {what: [type(one).__name__ for one in ones] for what, ones in known.items()}


def other_kinds(before: Any, now: dict[str, list[str]]) -> str:
    """Says how the kinds of a checkpoint differ from those that a model makes; empty if not.

    Args:
        before: As `kinds` has returned them; anything else is not compared.
        now: Likewise.
    """
    kept = before if isinstance(before, dict) else {}
    for what, names in now.items():
        if isinstance(kept.get(what), list) and kept[what] != names:
            old, new = (", ".join(map(str, ones)) or f"no {what}" for ones in (kept[what], names))
            return f"saved with {old!a:.99}, and configure_optimizers now makes {new!a:.99}"
    return ""


def other_groups(states: Any, optimizers: Sequence[Optimizer]) -> str:
    """Says how the groups of weights in a checkpoint differ from those that a model makes.

    Training may have added one, as for a layer that was frozen.

    Args:
        states: The states of the checkpoint's optimizers; what has not their form is not compared.
        optimizers: Those that the model makes.
    """
    if not isinstance(states, list) or len(states) != len(optimizers):
        return ""
    for found, optimizer in zip(states, optimizers, strict=True):
        before, now = (_sizes(one) for one in (found, optimizer.state_dict()))
        if before and before != now:
            old, new = (" and ".join(map(str, sizes)) for sizes in (before, now))
            return (
                f"saved with groups of {old} weights in its {type(optimizer).__name__}, and"
                f" configure_optimizers now makes {new}"
            )
    return ""


def _sizes(state: Any) -> list[int]:
    """Counts the weights in each group of an optimizer's state; empty if that has not its form."""
    groups = state.get("param_groups") if isinstance(state, dict) else None
    listed = [one.get("params") for one in groups or () if isinstance(one, dict)]
    return [len(one) for one in listed if isinstance(one, list)]
