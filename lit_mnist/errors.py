"""What goes wrong in a way that the user can mend."""


class UserError(Exception):
    """A bad option, file, value or checkpoint; its message is one line that names it and the remedy.

    The program prints that line without a traceback and ends with exit status 2.
    """
