"""Imports a class that the user names on the command line."""

from importlib import import_module

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
