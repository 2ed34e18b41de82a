"""Files that are never half a file: written beside their target, then renamed into place."""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; what is written there takes its place in one step.

    If the block raises, `path` stays as it was, the temporary file is removed, and so are folders
    that were made for it. The temporary file lies in the same folder because a rename is atomic
    only within one file system.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:  # a write names no file, and nobody knows the temporary one
        if error.errno:
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(OSError):  # the folder may be none
            temporary.unlink(missing_ok=True)
        for folder in missing if not path.exists() else ():
            with contextlib.suppress(OSError):  # not made, or in use by now
                folder.rmdir()


def remove_temporaries(folder: Path) -> None:
    """Removes what a process that was killed in the middle of `replacing` left in the folder."""
    for left in folder.glob(".*.????????.tmp"):
        left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Makes a rename outlast a power cut; where folders cannot be opened, the system does so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes `content` as readable JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")
