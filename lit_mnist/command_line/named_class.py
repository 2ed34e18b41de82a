"""Imports a class that the user names on the command line, and explains what goes wrong."""

import re
import traceback
from importlib import import_module
from pathlib import Path

from lit_mnist.errors import UserError, causes

# A class that the parser has tried to import, in its report
_TRIED = re.compile(r"(?:Given value: |class_path\W+)([A-Za-z_][\w.]*)\.(\w+)")


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


def failed_import(error: Exception) -> UserError | None:
    """Returns the error to raise for one that a user's module raises while the parser imports it.

    Args:
        error: What the parser has raised, perhaps in place of the module's own error.

    Returns:
        None if the module is not there, or the error arose elsewhere.
    """
    for cause in causes(error):
        frames = [frame for frame, _ in traceback.walk_tb(cause.__traceback__)]
        names = [f.f_locals.get("name") for f in frames if f.f_code.co_name == "import_object"]
        if names and (found := _described(str(names[-1]), cause)):
            return found
    for module, last in _TRIED.findall(str(error)):  # of several types, it keeps one's error only
        try:
            import_module(module)
        except Exception as again:  # as above
            if found := _described(f"{module}.{last}", again):
                return found
    return None


def _described(name: str, error: BaseException) -> UserError | None:
    """Describes an error that arose while a file of the user's own was imported; None otherwise."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [(frame.filename, frame.lineno) for frame in frames if frame.name == "<module>"]
    if isinstance(error, SyntaxError):
        places.append((str(error.filename), error.lineno))
    own = [place for place in places if "site-packages" not in Path(place[0]).parts]
    if not own:
        return None
    (file, line), text = own[-1], " ".join(str(getattr(error, "msg", error)).split())
    return UserError(
        f"{name}: cannot be imported ({type(error).__name__}: {text:.300}; {file}, line {line});"
        " correct that file, or install what it needs"
    )
