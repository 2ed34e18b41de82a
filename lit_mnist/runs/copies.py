"""Copies a module, so that asking it changes nothing that training finds."""

import copy
from typing import Any, TypeVar

from torch import Tensor, nn

T = TypeVar("T")


def deep(thing: T, *shared: Any) -> T:
    """Copies a module or a callback, also a pruned module.

    Pruning, and the older forms of weight and spectral norm, leave in an attribute what they
    compute from a weight: PyTorch refuses to copy such a tensor, and the module sets it anew.

    Args:
        thing: What is copied.
        shared: What the copy shares with it, such as its trainer.
    """
    known = {id(one): one for one in shared}
    for part in thing.modules() if isinstance(thing, nn.Module) else ():
        for value in vars(part).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                known[id(value)] = value.detach().clone()
    return copy.deepcopy(thing, known)


def copied(thing: T, *shared: Any) -> T:
    """Copies likewise; returns the thing itself if it holds something that cannot be copied."""
    try:
        return deep(thing, *shared)
    except Exception:  # whatever a user's attribute may raise
        return thing
