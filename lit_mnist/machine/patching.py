"""Replaces attributes for as long as a context lasts; finds what is overridden."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Sets attributes, given as (object, name, value), and restores them afterwards.

    Raises:
        AttributeError: An object has no such attribute, of its own or inherited.
    """
    with ExitStack() as stack:
        for place, name, value in changes:
            getattr(place, name)
            if name in vars(place):
                stack.callback(setattr, place, name, vars(place)[name])  # a static method as such
            else:  # inherited, and from whichever base comes first in a subclass
                stack.callback(delattr, place, name)
            setattr(place, name, value)
        yield


def overrides(thing: object, base: type, hook: str) -> bool:
    """Whether a callback or a module has a hook of its own, in its class or set on it alone."""
    return hook in vars(thing) or getattr(type(thing), hook) is not getattr(base, hook)
