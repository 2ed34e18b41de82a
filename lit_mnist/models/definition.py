"""Fingerprints of the code of a user's classes, by which classes of one name are told apart.

A checkpoint names its class. But two projects may each have a `net.py` with a `Net`, and a class
may have been changed since it was trained; equal shapes prove nothing. So a checkpoint also holds a
hash of the code of each class that its module is built of, unless it is of an installed package.
Comments, names of local variables, hooks that only training calls, and what is outside of the
classes do not count.
"""

import dis
import hashlib
import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from lightning.pytorch import LightningModule
from torch import nn

KEY = "model_code"  # in checkpoints
# Bytecode is compared within a version of Python only, and with or without asserts (`python -O`)
_PYTHON = f"{sys.implementation.cache_tag}-O{sys.flags.optimize}".removesuffix("-O0")
_BUILDING = ("setup", "configure_model")  # hooks that may create layers
_NOT_OWN = {"lit_mnist", *sys.stdlib_module_names}


def fingerprint(module: nn.Module) -> dict[str, dict[str, str]]:
    """Returns a hash for each of the user's classes, by its dotted name, below Python's version."""
    kinds = {base for part in module.modules() for base in type(part).__mro__ if _is_own(base)}
    return {_PYTHON: {f"{kind.__module__}.{kind.__qualname__}": _of_class(kind) for kind in kinds}}


def changed(checkpoint: dict[str, Any], module: nn.Module) -> str:
    """Returns the first class whose code is not that which trained a checkpoint; else nothing.

    Nothing is known of checkpoints of older versions, or of another version of Python.
    """
    stored = checkpoint.get(KEY)
    then = stored.get(_PYTHON) if isinstance(stored, dict) else None
    if not isinstance(then, dict):
        return ""
    now = fingerprint(module)[_PYTHON]
    return next((name for name in sorted(now.keys() & then.keys()) if now[name] != then[name]), "")


def _is_own(kind: type) -> bool:
    """Returns whether a class is of no installed package."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    root = kind.__module__.partition(".")[0]
    return root not in _NOT_OWN and "-packages" not in file


def _of_class(kind: type) -> str:
    parts = []
    for name, value in sorted(vars(kind).items()):
        if (
            hasattr(LightningModule, name)
            and not hasattr(nn.Module, name)
            and name not in _BUILDING
        ):
            continue
        function = inspect.unwrap(getattr(value, "fget", None) or getattr(value, "__func__", value))
        if isinstance(function, FunctionType):
            defaults = (function.__defaults__, *(function.__kwdefaults__ or {}).items())
            parts += [name, _plain(defaults), *_of_code(function.__code__)]
        elif not name.startswith("__"):
            parts += [name, _plain(value)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _of_code(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if isinstance(step.argval, CodeType):  # of a function within
            yield from _of_code(step.argval)
        elif "_FAST" in step.opname:  # whatever the local variable is called
            yield f"{step.opname} {step.arg}"
        else:
            yield f"{step.opname} {_plain(step.argval)}"


def _plain(value: Any) -> str:
    """Formats a value that is equal in every process; other objects by their class."""
    if isinstance(value, dict):
        return _plain([*value.items()])
    if isinstance(value, (set, frozenset)):
        return _plain(sorted(map(_plain, value)))
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_plain, value))})"
    if isinstance(value, (bool, int, float, complex, str, bytes, type(None))):
        return repr(value)
    return str(getattr(value, "__qualname__", type(value).__qualname__))
