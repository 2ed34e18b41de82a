"""Lines for the user, which of several ranks only the first prints."""

import sys
from typing import TextIO


def say(text: str) -> None:
    """Prints a line."""
    _print(text, sys.stdout)


def warn(text: str) -> None:
    """Prints a line on standard error."""
    _print(text, sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    from lightning.pytorch.utilities import rank_zero_only  # takes seconds to import

    rank_zero_only(print)(text, file=stream)
