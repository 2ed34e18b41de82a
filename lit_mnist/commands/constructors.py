"""Constructors of classes that options name: checks of their arguments, and their errors."""

import importlib
import inspect
import traceback
from pathlib import Path
from typing import Any, get_args

from lightning.pytorch import LightningModule

from lit_mnist.errors import UserError


def check(option: str, chosen: Any) -> None:
    """Refuses arguments that no option can give, and `null` where it is not allowed.

    The parser would take both.

    Args:
        option: The option that chooses the class, such as `--model`.
        chosen: Its `class_path` and `init_args`, as parsed.

    Raises:
        UserError: Names the argument.
    """
    for argument, known in _parameters(chosen.class_path).items():
        if known.kind is known.POSITIONAL_ONLY:
            raise UserError(
                f"{option} {chosen.class_path}: its constructor takes {argument} by position only,"
                " and options are given by name; leave out the / behind it"
            )
        takes_none = known.default is None or type(None) in get_args(known.annotation)
        if argument in chosen.init_args and chosen.init_args[argument] is None and not takes_none:
            raise UserError(f"{option}.{argument} null: give a value, or leave the option out")


def _parameters(class_path: str) -> dict[str, inspect.Parameter]:
    module, _, name = class_path.rpartition(".")
    kind = getattr(importlib.import_module(module), name)  # the parser has imported it
    return dict(inspect.signature(kind).parameters)


def failed(error: BaseException) -> UserError | None:
    """Returns the error to raise for one in a model's constructor; None if it arose elsewhere."""
    cause: BaseException | None = error
    while cause is not None:
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            model = frame.f_locals.get("self")
            if frame.f_code.co_name == "__init__" and isinstance(model, LightningModule):
                return _error_of(type(model), cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _error_of(kind: type, error: BaseException) -> UserError:
    if isinstance(error, UserError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts][-1]
    text = " ".join(str(error).split())
    return UserError(
        f"--model {kind.__module__}.{kind.__qualname__}: its constructor fails"
        f" ({type(error).__name__}{': ' if text else ''}{text:.300}; {last.filename}, line"
        f" {last.lineno}); give it other arguments, or correct that file"
    )
