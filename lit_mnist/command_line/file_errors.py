"""What the user can do about a file that cannot be read or written."""

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

_ELSEWHERE = "move what is there elsewhere or choose another"
_OF_CODE = {
    errno.EROFS: "mount it for writing or choose another",
    errno.EEXIST: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.EISDIR: _ELSEWHERE,
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "allow more open files, as with ulimit -n",
}


def told(error: OSError) -> str:
    """Returns what is wrong with a file, the working folder or the network, and the remedy."""
    try:
        os.getcwd()
    except FileNotFoundError:  # nothing is found, whatever the error names
        return "the working folder is gone; change to one that exists"
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):  # such as of a logger
        return f"the network: {error.strerror or error}; run this again once it answers"
    place = error.filename or "a file"
    place = os.fsdecode(place) if isinstance(place, bytes) else place  # as TensorBoard gives it
    return f"{place}: {error.strerror or error}; {remedy(error)}"


def remedy(error: OSError) -> str:
    """Returns what the user can do about a file that cannot be read, written or started."""
    if error.errno in _OF_CODE:
        return _OF_CODE[error.errno]
    if isinstance(error, FileNotFoundError):  # also those of libraries, without a code
        return "name one that exists, or run this again if another process has replaced it"
    if isinstance(error, PermissionError):
        return f"allow this user to {_forbidden(error.filename)} or choose another"
    return "make room or choose another"


def _forbidden(name: Any) -> str:
    """Names what this user may not do with a file, which the error itself does not tell."""
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes) else Path()
    if name == sys.executable:  # the only program that is started
        return "run it"
    if os.path.islink(path):  # pathlib's test raises an error where a folder may not be entered
        path = path.parent / os.readlink(path)
    place = next((one for one in (path, *path.parents) if os.path.exists(one)), path)
    if place != path and not os.access(place, os.X_OK):
        return f"enter {place}"
    if place != path or os.access(path, os.R_OK):
        return "write there"
    unsure = place.is_dir() and not os.access(path, os.W_OK)
    return "read and write there" if unsure else "read it"
