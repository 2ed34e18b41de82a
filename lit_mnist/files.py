"""Atomic writing of files: they are written beside their target, then renamed into place."""

import contextlib
import errno
import json
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lit_mnist import locks
from lit_mnist.errors import UserError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; the file written there replaces `path` atomically.

    If the block raises, `path` stays as it was, and the temporary file and any folders created for
    it are removed. The temporary file is in the same folder because a rename is atomic only within
    one file system.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            temporary.touch()
            locks.lock(temporary, stack)  # against `remove_temporaries`
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:  # names no file, or only the temporary one
        if error.errno:
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(OSError):  # the path may not be a folder
            temporary.unlink(missing_ok=True)
        for folder in missing if not path.exists() else ():
            with contextlib.suppress(OSError):  # not created, or used by others now
                folder.rmdir()


def remove_temporaries(folder: Path) -> None:
    """Removes temporary files that a process killed inside `replacing` has left in the folder.

    Those stay that another is writing, such as a test of the same run: it keeps them locked.
    """
    for left in folder.glob(".*.????????.tmp"):
        with contextlib.ExitStack() as stack:
            if locks.lock(left, stack):
                left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut; does nothing where folders cannot be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` atomically; bytes of a path that are no UTF-8 are escaped."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes `content` to `path` atomically, as indented JSON."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def append_text(path: Path, text: str) -> None:
    """Adds `text` to the end of a file, whose other bytes stay as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def is_file(path: Path) -> bool:
    """Returns whether there is a file to read.

    Raises:
        UserError: Something else is in its place.
    """
    if is_irregular(path):
        raise UserError(f"{path}: is no regular file; move it elsewhere, or restore the file")
    return path.is_file()


def refuse_url(text: str, option: str = "") -> None:
    """Refuses a URL in place of a path; pathlib would make one slash of two, also in messages.

    Args:
        text: What the user names.
        option: The option, for the message.

    Raises:
        UserError: It is a URL, such as `https://example.com/x.ckpt`.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        named = f"{option} {text:.200}".strip()
        raise UserError(
            f"{named}: is a URL; give a path on this machine, and download what is to be read"
        )


def is_irregular(path: Path) -> bool:
    """Returns whether a folder, a pipe or the like is in a file's place.

    To read a pipe would be to wait for its writer.
    """
    return path.exists() and not path.is_file()


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts seed_9 before seed_10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def check_output(folder: Path, names: Sequence[str], head: str) -> None:
    """Checks that a command may write its files to a folder: it replaces only its own.

    Args:
        folder: The folder; it may be missing.
        names: Names of the files. The first is a text, by which the program knows its own.
        head: First line of that text.

    Raises:
        UserError: The folder is a file, or one of the files there is not the program's.
        OSError: The folder cannot be written to.
    """
    place = next(above for above in (folder, *folder.parents) if above.exists())
    if not place.is_dir():
        raise UserError(f"--output {folder}: {place} is a file; name a folder")
    check_writable(folder)
    present = [folder / name for name in names if (folder / name).exists()]
    if present and not _starts_with(folder / names[0], head):
        raise UserError(
            f"{present[0]}: would be replaced, but this command has not written it, or it was"
            " changed; move it elsewhere, or name another folder with --output"
        )


def _starts_with(path: Path, head: str) -> bool:
    """Returns whether a line is the first of a file; False without a file."""
    if not is_file(path):
        return False
    with path.open("rb") as file:
        return file.readline(1000).rstrip(b"\r\n") == head.encode()


def check_writable(folder: Path) -> None:
    """Checks that files can be created in a folder, or the folder itself where it is missing.

    Raises:
        OSError: They cannot.
    """
    place = next(above for above in (folder, *folder.parents) if above.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        code = errno.EROFS if _is_read_only(place) else errno.EACCES
        raise OSError(code, os.strerror(code), str(folder))


def _is_read_only(place: Path) -> bool:
    """Returns whether a place is in a file system that is mounted for reading only."""
    return hasattr(os, "statvfs") and bool(os.statvfs(place).f_flag & os.ST_RDONLY)
