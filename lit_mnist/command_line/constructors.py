"""Constructors of classes that options name: checks of their arguments, and their errors."""

import inspect
import pkgutil
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from jsonargparse import Namespace
from lightning.pytorch import Callback, LightningModule

from lit_mnist import errors
from lit_mnist.command_line import device_errors
from lit_mnist.errors import UserError, causes

_OURS = Path(errors.__file__).parent


def check(option: str, chosen: Any) -> None:
    """Refuses arguments that no option can give, and `null` where it is not allowed.

    The parser would take both.

    Args:
        option: The option that chooses the class, such as `--model`.
        chosen: Its `class_path` and `init_args`, as parsed.

    Raises:
        UserError: Names the argument.
    """
    given = chosen.get("init_args", Namespace())
    for argument, known in _parameters(chosen.class_path).items():
        if known.kind is known.POSITIONAL_ONLY:
            raise UserError(
                f"{option} {chosen.class_path}: its constructor takes {argument} by position only,"
                " and options are given by name; leave out the / behind it"
            )
        # An annotation is text in a module with `from __future__ import annotations`
        typed = known.annotation not in (inspect.Parameter.empty, Any, str(known.annotation))
        takes_none = known.default is None or type(None) in get_args(known.annotation)
        if typed and not takes_none and given.get(argument, 0) is None:
            raise UserError(f"{option}.{argument} null: give a value, or leave the option out")


def check_nulls(parser: Any, config: Any) -> None:
    """Refuses `null` for options of the trainer, the data and the run that need a value.

    Args:
        parser: The parser of the command.
        config: What it has parsed.

    Raises:
        UserError: Names the option.
    """
    for action in parser._actions:
        kind = getattr(action, "_typehint", None) or action.type
        takes_none = kind is None or kind is Any or type(None) in get_args(kind)
        if not takes_none and action.default is not None and config.get(action.dest, 0) is None:
            raise UserError(f"--{action.dest} null: give a value, or leave the option out")


def check_callbacks(callbacks: Any) -> None:
    """Refuses callbacks of no class, and `null` where an option of theirs needs a value.

    Args:
        callbacks: Value of `--trainer.callbacks`, as parsed: one, a list, or none.

    Raises:
        UserError: Names the option; the parser takes a mapping without `class_path` for
            Lightning's empty base class.
    """
    for callback in listed(callbacks):
        if callback.get("class_path") == "lightning.Callback":
            raise UserError(
                "--trainer.callbacks: a callback without class_path would do nothing; write"
                " class_path: NAME, and its options below init_args"
            )
        check("--trainer.callbacks", callback)


def check_dict_kwargs(model: Any, trainer: Any) -> None:
    """Refuses arguments below `dict_kwargs` that a constructor does not take.

    The parser moves those that it knows below `init_args`, and passes on all others.

    Args:
        model: The model that is chosen, as parsed.
        trainer: The parsed options of the trainer.

    Raises:
        UserError: Names the option, the argument and the class.
    """
    chosen = [("--model", model)]
    chosen += [(f"--trainer.{key}", one) for key, v in vars(trainer).items() for one in listed(v)]
    for option, one in chosen:
        extra = one.get("dict_kwargs") if isinstance(one, Namespace) else None
        for argument in extra or {}:
            kinds = {known.kind for known in _parameters(one.class_path).values()}
            if inspect.Parameter.VAR_KEYWORD not in kinds:
                kind = one.class_path.rpartition(".")[2]
                raise UserError(
                    f"{option}: dict_kwargs: {argument}: {kind} takes no such argument; leave it"
                    " out"
                )


def listed(value: Any) -> list[Any]:
    """Returns the value of an option that takes one, a list, or none, as a list."""
    return value if isinstance(value, list) else [value] if value else []


def _parameters(class_path: str) -> dict[str, inspect.Parameter]:
    kind = pkgutil.resolve_name(class_path)  # also of a class within a class
    return dict(inspect.signature(kind).parameters)


def failed(error: BaseException) -> UserError | None:
    """Returns the error to raise for one in a model's or callback's constructor.

    None if it arose elsewhere; what Lightning's callbacks refuse has a text of its own.
    """
    for cause in _causes(error):
        frames = list(traceback.walk_tb(cause.__traceback__))
        for place, (frame, _) in enumerate(frames):
            code = frame.f_code
            # the first parameter, as not everyone calls it self
            made = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
            if code.co_name == "__init__" and isinstance(made, (LightningModule, Callback)):
                called = [(one.f_code.co_filename, line) for one, line in frames[place:]]
                return _error_of(made, cause, called)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and its causes, also behind one of jsonargparse's own.

    Where a class raises an error without a text, the parser fails to indent it, with an IndexError.
    """
    for cause in causes(error):
        yield cause
        untold = traceback.walk_tb(cause.__traceback__) if isinstance(cause, IndexError) else ()
        for frame, _ in untold:
            if frame.f_code.co_name == "raise_union_unexpected_value":  # jsonargparse/_typehints.py
                yield from _causes(frame.f_locals["exceptions"][0])


def _error_of(
    made: LightningModule | Callback, error: BaseException, called: list[tuple[str, int]]
) -> UserError | None:
    if isinstance(error, UserError):
        return error
    text = " ".join(str(error).split())
    if told := device_errors.explained(error, text):
        return UserError(told)
    kind, option = type(made), "--model"
    if isinstance(made, Callback):
        option = "--trainer.callbacks"
        if kind.__module__.startswith(("lightning.", "lit_mnist.")):
            return None
    users = [place for place in called if not _is_of_library(place[0])]
    file, line = users[-1] if users else _definition(kind) or called[-1]
    return UserError(
        f"{option} {kind.__module__}.{kind.__qualname__}: its constructor fails"
        f" ({type(error).__name__}{': ' if text else ''}{text:.300}; {file}, line {line}); give it"
        " other arguments, or correct that file"
    )


def _is_of_library(file: str) -> bool:
    """Whether a file is of an installed package or of this one, which may be a checkout."""
    return "site-packages" in Path(file).parts or Path(file).is_relative_to(_OURS)


def _definition(kind: type) -> tuple[str, int] | None:
    """Returns where a class is defined; None if that is not known, as of one that was typed in."""
    with suppress(OSError, TypeError):
        return inspect.getfile(kind), inspect.getsourcelines(kind)[1]
    return None
