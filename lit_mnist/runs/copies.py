"""Copies a module, so that asking it changes nothing that training finds."""

import copy
from typing import Any, TypeVar

T = TypeVar("T")


def copied(thing: T, *shared: Any) -> T:
    """Copies a module or a callback.

    Args:
        thing: What is copied.
        shared: What the copy shares with it, such as its trainer.

    Returns:
        The copy; itself if it holds something that cannot be copied.
    """
    try:
        return copy.deepcopy(thing, {id(one): one for one in shared})
    except Exception:  # whatever a user's attribute may raise
        return thing
