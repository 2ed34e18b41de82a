"""What goes wrong in a way that the user can mend, and how it is said."""


class UserError(Exception):
    """A bad option, file, value or checkpoint; the message is one line: what, and the remedy.

    The program prints that line without a traceback and ends with exit status 2.
    """


class PeerError(Exception):
    """Another process of the same run has failed, and says why itself; the exit status is 1."""


def one_line(error: BaseException) -> str:
    """Gives the message on one line."""
    return printable(str(error))


def printable(text: str) -> str:
    """Gives a text on one line; what would move a terminal's cursor is shown escaped."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
