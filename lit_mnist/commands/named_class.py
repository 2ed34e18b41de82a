"""Imports a class that the user names on the command line, and explains what goes wrong."""

import traceback
from importlib import import_module
from pathlib import Path

from lit_mnist.errors import UserError


def named_class(name: str) -> type:
    """Imports a class by its dotted name.

    Raises:
        UserError: There is no such class.
    """
    module, _, last = name.rpartition(".")
    try:
        found = getattr(import_module(module), last)
    except Exception as error:  # a user's module may raise anything
        why = " ".join(str(error).split())
        raise UserError(
            f"--model.classes {name}: cannot be imported ({why:.150}); write it as my_module.Net"
        ) from error
    if not isinstance(found, type):
        raise UserError(f"--model.classes {name}: is not a class; write it as my_module.Net")
    return found


def failed_import(error: BaseException) -> UserError | None:
    """Returns the error to raise for one that a user's module raises while the parser imports it.

    Args:
        error: What the parser has raised, perhaps in place of the module's own error.

    Returns:
        None if the module is not there, or the error arose elsewhere.
    """
    cause: BaseException | None = error
    while cause is not None:
        frames = list(traceback.walk_tb(cause.__traceback__))
        names = [f.f_locals.get("name") for f, _ in frames if f.f_code.co_name == "import_object"]
        ran = [(f.f_code.co_filename, line) for f, line in frames if f.f_code.co_name == "<module>"]
        ran += [(str(cause.filename), cause.lineno)] if isinstance(cause, SyntaxError) else []
        own = [place for place in ran if "site-packages" not in Path(place[0]).parts]
        if names and own:
            file, line = own[-1]
            text = " ".join(getattr(cause, "msg", str(cause)).split())
            return UserError(
                f"{names[-1]}: cannot be imported ({type(cause).__name__}: {text:.300}; {file}, line"
                f" {line}); correct that file, or install what it needs"
            )
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None
