"""Checks for Optuna, an optional dependency that only `sweep` needs."""

from importlib.util import find_spec

from lit_mnist.errors import UserError


def require() -> None:
    """Checks that Optuna is installed.

    Raises:
        UserError: It is not; the message has the command that installs it.
    """
    if find_spec("optuna") is None:
        raise UserError("sweep needs Optuna: pip install -e '.[sweep]', or pip install optuna")
