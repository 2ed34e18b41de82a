"""The hyperparameters in a checkpoint, which may hold plain values, and nothing to import."""

import inspect
import sys
from collections import abc
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jsonargparse import get_loader

from lit_mnist.errors import UnknownClassError
from lit_mnist.models.classes import public_hyperparameters

_PLAIN = (str, int, float, bool, NoneType, Path)
_CONTAINERS = (list, tuple, set, frozenset, dict, abc.Sequence, abc.Iterable, abc.Mapping, abc.Set)


def arguments(checkpoint: dict[str, Any], kind: type, path: Path) -> dict[str, Any]:
    """Returns the hyperparameters that the class's `__init__` accepts.

    Raises:
        UnknownClassError: One names a class or function that is not imported.
    """
    parameters = inspect.signature(kind).parameters.values()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    names = {parameter.name for parameter in parameters}
    values = {
        k: v for k, v in public_hyperparameters(checkpoint).items() if takes_any or k in names
    }
    plain, untyped = _plain_parameters(kind), _untyped_parameters(kind)
    as_they_are = {k for k, v in values.items() if k in plain or (k in untyped and _is_text(v))}
    for text in _strings({k: v for k, v in values.items() if k not in as_they_are}):
        if _would_import(text):
            problem = f"{path}: its hyperparameters name {text:.99}, which is not known here"
            raise UnknownClassError(problem, text[:99])
    if values.get("compile") is True:  # for the speed of training
        values["compile"] = False
    return values


def _plain_parameters(kind: type) -> set[str]:
    """Names the parameters that are declared to be plain: whatever their text, it is no class."""
    try:
        types = get_type_hints(kind.__init__)  # type: ignore[misc]
    except Exception:  # as where a type is imported for type checkers alone
        return set()
    return {one.name for one in _named_parameters(kind) if _is_plain(types.get(one.name))}


def _untyped_parameters(kind: type) -> set[str]:
    """Names the parameters to which jsonargparse gives a text as it is, unless it holds a class.

    One without a type has that of its default.
    """
    found = set()
    for one in _named_parameters(kind):
        inferred = one.default is one.empty or _is_plain(type(one.default))
        is_untyped = one.annotation is one.empty and inferred
        if is_untyped or one.annotation in (Any, "Any", object, "object"):
            found.add(one.name)
    return found


def _named_parameters(kind: type) -> list[inspect.Parameter]:
    """Returns a class's own parameters, without `**options`: its name may be one of a parent's."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [one for one in inspect.signature(kind).parameters.values() if one.kind in kinds]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and _read(value) == value


def _is_plain(declared: Any) -> bool:
    origin = get_origin(declared)
    if origin in (Union, UnionType, *_CONTAINERS):
        parts = get_args(declared)  # none if it is a bare typing.List
        return bool(parts) and all(part is ... or _is_plain(part) for part in parts)
    return origin is Literal or declared in _PLAIN


def _strings(value: Any) -> Iterator[str]:
    """Yields the texts in a value, and those in what they read as.

    Each container is entered once: aliases in YAML could repeat it beyond any number.
    """
    rest, entered = [value], dict[int, Any]()  # which keeps the containers, so that ids are theirs
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            yield one
            read = _read(one)
            rest += [] if read == one else [read]
        elif isinstance(one, (dict, list, tuple, set)) and id(one) not in entered:
            entered[id(one)] = one
            rest += one.values() if isinstance(one, dict) else one


def _read(text: str) -> Any:
    """Reads a text as jsonargparse does, to which that of a dictionary is a dictionary."""
    try:
        return get_loader("yaml")(text)
    except Exception:  # then it fails there too
        return text


def _would_import(text: str) -> bool:
    """Returns whether a text is the dotted name of a module that exists but is not imported."""
    module, root = text.rpartition(".")[0], text.partition(".")[0]
    if not module or not all(map(str.isidentifier, text.split("."))) or module in sys.modules:
        return False
    spec = find_spec(root) if root not in sys.modules else None
    # a mere folder, such as that of `weights/` in weights.pt, has no code to run
    return root in sys.modules or (spec is not None and (spec.origin is not None or module != root))
