"""Keeps the states of random generators that a user's module or callback has as attributes."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist import trainers
from lit_mnist.machine.ranks import of_each_rank
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.runs import entries


class OwnGenerators(AfterStart):
    """Saves their states in checkpoints and restores them.

    Lightning leaves that to the user's hooks. It comes behind `ResumedEpoch`, as a hook of the
    epoch's start may make a generator or seed it.
    """

    def __init__(self) -> None:
        self.loaded: list[dict[str, Any]] = []

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the states of each rank."""
        own = {place: _state(one) for place, one in _found(trainer, pl_module)}
        ranks = of_each_rank(trainer, own)
        if any(ranks):
            checkpoint[entries.OWN_GENERATORS] = ranks

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the states until training has started."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = list(entries.get(checkpoint, entries.OWN_GENERATORS, []))

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's states, but for a generator of another kind or device than then."""
        if len(self.loaded) == trainer.world_size:
            states = self.loaded[trainer.global_rank]
            for place, one in _found(trainer, pl_module):
                if place in states and _kind(_state(one)) == _kind(states[place]):
                    _restore(one, states[place])
        self.loaded = []


def _found(trainer: Trainer, module: LightningModule) -> Iterator[tuple[str, Any]]:
    """Yields generators by their places: those that are attributes, but none within lists."""
    owners: list[tuple[str, object]] = [*module.named_modules(prefix="module")]
    owners += [(one.state_key, one) for one in trainers.callbacks(trainer)]
    for place, owner in owners:
        for name, value in vars(owner).items():
            if isinstance(value, (torch.Generator, np.random.Generator, random.Random)):
                yield f"{place}.{name}", value


def _state(one: Any) -> dict[str, Any]:
    """Returns a generator's state as tensors and plain values, and its kind."""
    if isinstance(one, torch.Generator):
        return {"kind": f"torch on {one.device.type}", "state": one.get_state()}
    if isinstance(one, np.random.Generator):
        state = _converted(dict(one.bit_generator.state))
        return {"kind": f"NumPy's {state['bit_generator']}", "state": state}
    version, words, gauss = one.getstate()
    return {"kind": f"Python's {version}", "state": (version, torch.tensor(words), gauss)}


def _kind(state: dict[str, Any]) -> str:
    return str(state["kind"])


def _converted(state: Any) -> Any:
    """Turns NumPy's arrays into tensors, and tensors into arrays, at any depth of dicts."""
    if isinstance(state, dict):
        return {name: _converted(value) for name, value in state.items()}
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    return state.numpy() if isinstance(state, torch.Tensor) else state


def _restore(one: Any, saved: dict[str, Any]) -> None:
    """Restores what `_state` gave."""
    state = saved["state"]
    if isinstance(one, torch.Generator):
        one.set_state(state)
    elif isinstance(one, np.random.Generator):
        one.bit_generator.state = _converted(state)
    else:
        version, words, gauss = state
        one.setstate((version, tuple(words.tolist()), gauss))
