"""Keeps what modules and callbacks load of their own entries in a checkpoint, while hooks run."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from lightning.pytorch import Trainer
from torch import nn

from lit_mnist.runs.copies import copied

_OF_TORCH = frozenset(vars(nn.Module()))  # among them weights, which `kept_state` keeps


@contextmanager
def own_state(thing: Any, trainer: Trainer, load: Callable[[Any], object]) -> Iterator[None]:
    """Restores at the end the attributes that loading uses; others stay as the hooks leave them.

    A copy is loaded to find out which. Loaded again itself, the module could get new layers that no
    optimizer knows, or add to a count once more. That is done only if it cannot be copied.

    Args:
        thing: The module or callback, which has been loaded.
        trainer: Its trainer.
        load: Loads one.
    """
    before = _attributes(thing, trainer)
    yield
    for name in _used(thing, trainer, load) & before.keys():
        setattr(thing, name, before[name])


def _attributes(thing: Any, trainer: Trainer) -> dict[str, Any]:
    """Copies its attributes; what others hold as well stays shared."""
    module = trainer.lightning_module
    shared = (trainer, thing, *trainer.optimizers, *module.modules(), *module.parameters())
    memo: dict[int, Any] = {id(one): one for one in (*shared, *module.buffers())}
    found = {}
    for name, value in vars(thing).items():
        if name not in _OF_TORCH or not isinstance(thing, nn.Module):
            with suppress(Exception):  # whatever a user's attribute may raise
                found[name] = copy.deepcopy(value, memo)
    return found


def _used(thing: Any, trainer: Trainer, load: Callable[[Any], object]) -> set[str]:
    """Returns the attributes that loading a copy reads or sets; loads what cannot be copied."""
    module = trainer.lightning_module
    asked, names = copied(thing, trainer, *([] if thing is module else [module])), set[str]()
    watched = nullcontext() if asked is thing else _watched(asked, names)
    with watched, suppress(Exception):  # whatever a user's hook may raise at a second call
        load(asked)
    return names


@contextmanager
def _watched(asked: Any, names: set[str]) -> Iterator[None]:
    """Notes the attributes in use; in its class itself, as others list the classes below it."""
    kind: Any = type(asked)
    read, write = kind.__getattribute__, kind.__setattr__

    def noted(thing: Any, name: str) -> Any:
        names.update([name] if thing is asked else [])
        return read(thing, name)

    def noted_too(thing: Any, name: str, value: Any) -> None:
        names.update([name] if thing is asked else [])
        write(thing, name, value)

    hooks = {"__getattribute__": noted, "__setattr__": noted_too}
    own = {name: vars(kind)[name] for name in hooks if name in vars(kind)}
    for name, hook in hooks.items():
        setattr(kind, name, hook)
    try:
        yield
    finally:
        for name in hooks:
            setattr(kind, name, own[name]) if name in own else delattr(kind, name)
