"""Errors that the user can fix, and how they are printed."""

from collections.abc import Iterator


class UserError(Exception):
    """A bad option, file, value or checkpoint; the message is one line: the problem and the remedy.

    The program prints that line without a traceback and exits with status 2.
    """


class UnknownClassError(UserError):
    """A file names a class that is not imported; the user can name it, if they trust it.

    Args:
        problem: What names the class.
        name: The class, such as `my_module.Net`.
        more: What else may be done.
    """

    def __init__(self, problem: str, name: str, more: str = "") -> None:
        super().__init__(problem, name, more)
        self.problem, self.name, self.more = problem, name, more

    def __str__(self) -> str:
        """Formats it with the option of a command that makes the class known."""
        return f"{self.problem}; add --model.classes {self.name} if you trust it{self.more}"

    def in_python(self) -> str:
        """Formats it with the argument of `lit_mnist.load` that makes the class known."""
        name = self.name.removeprefix("__main__.")
        return f"{self.problem}; pass load the class, classes=[{name}], if you trust it{self.more}"


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
