"""The hyperparameters in a checkpoint, which may hold plain values, and nothing to import."""

import inspect
import re
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lit_mnist.errors import UnknownClassError
from lit_mnist.models.classes import public_hyperparameters

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


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
    for text in _strings(values):
        if _would_import(text):
            problem = f"{path}: its hyperparameters name {text:.99}, which is not known here"
            raise UnknownClassError(problem, text[:99])
    if values.get("compile") is True:  # for the speed of training
        values["compile"] = False
    return values


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set)):
        return ()
    return [text for part in value for text in _strings(part)]


def _would_import(text: str) -> bool:
    """Returns whether a text is the dotted name of a module that exists but is not imported."""
    module, root = text.rpartition(".")[0], text.partition(".")[0]
    if not _DOTTED.fullmatch(text) or module in sys.modules:
        return False
    spec = find_spec(root) if root not in sys.modules else None
    # a mere folder, such as that of `weights/` in weights.pt, has no code to run
    return root in sys.modules or (spec is not None and (spec.origin is not None or module != root))
