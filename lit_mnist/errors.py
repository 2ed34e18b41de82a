"""Errors that the user can fix, and how they are printed."""

from collections.abc import Iterator


class UserError(Exception):
    """A bad option, file, value or checkpoint; the message is one line: the problem and the remedy.

    The program prints that line without a traceback and exits with status 2.
    """


class PeerError(Exception):
    """Another process of the same run has failed and reports why; the exit status is 1."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error, then its cause, and so on, as a traceback shows them."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def one_line(error: BaseException) -> str:
    """Returns an error's message on one line."""
    return printable(str(error))


def printable(text: str) -> str:
    """Returns a text on one line, with control characters escaped."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
