"""Optuna is an extra: whoever does not search does without it."""

from importlib.util import find_spec

from lit_mnist.errors import UserError


def require() -> None:
    """Makes sure that Optuna is installed.

    Raises:
        UserError: It is not; the message has the line that installs it.
    """
    if find_spec("optuna") is None:
        raise UserError("sweep needs Optuna: pip install -e '.[sweep]', or pip install optuna")
