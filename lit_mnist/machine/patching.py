"""Replaces attributes for as long as a context lasts; finds what is overridden."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Sets attributes, given as (object, name, value), and restores them afterwards."""
    with ExitStack() as stack:
        for place, name, value in changes:
            before = vars(place).get(name, getattr(place, name))  # a static method as such
            stack.callback(setattr, place, name, before)
            setattr(place, name, value)
        yield


def overrides(thing: object, base: type, hook: str) -> bool:
    """Whether a callback or a module has a hook of its own, in its class or set on it alone."""
    return hook in vars(thing) or getattr(type(thing), hook) is not getattr(base, hook)
