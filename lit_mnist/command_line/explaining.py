"""Raises, in place of an error of a library, the one line that explains it."""

from collections.abc import Iterator
from contextlib import contextmanager

from lit_mnist.command_line import dependency_errors


@contextmanager
def explaining() -> Iterator[None]:
    """Explains errors of what runs inside; also of the classes that options name.

    Raises:
        UserError: For an error that the user can fix.
        PeerError: For one that another process of this run reports.
    """
    try:
        yield
    except Exception as error:
        explained = dependency_errors.explained(error)
        if explained is error:
            raise
        raise explained from error
