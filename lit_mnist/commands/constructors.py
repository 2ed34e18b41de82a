"""The constructors of classes that options name: what they can be given, and that they may fail."""

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
    """Gives the error to raise for one in a model's constructor; None if it arose elsewhere."""
    found: BaseException | None = error
    while found is not None:
        for frame, _ in traceback.walk_tb(found.__traceback__):
            model = frame.f_locals.get("self")
            if frame.f_code.co_name == "__init__" and isinstance(model, LightningModule):
                return _told(type(model), found)
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return None


def _told(kind: type, error: BaseException) -> UserError:
    if isinstance(error, UserError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    text = " ".join(str(error).split())
    return UserError(
        f"--model {kind.__module__}.{kind.__qualname__}: its constructor fails"
        f" ({type(error).__name__}{': ' if text else ''}{text:.300}; {own[-1].filename}, line"
        f" {own[-1].lineno}); give it other arguments, or correct that file"
    )
