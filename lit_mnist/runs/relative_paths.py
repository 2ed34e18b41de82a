"""Paths of checkpoints as seen from a run's folder, so that they stay valid if all is moved."""

import os
from pathlib import Path


def relative(path: Path, folder: Path) -> str:
    """Names a file by its path from a folder.

    `..` in a path leads to the parent of a link's target. So if the folder is a link, or lies in
    one, the path that its name suggests may lead nowhere.

    Args:
        path: A file that exists.
        folder: A folder that exists.
    """
    named = os.path.relpath(path, folder)
    if _is_same(folder / named, path):
        return named
    return os.path.relpath(path.parent.resolve() / path.name, folder.resolve())


def found(name: str, folder: Path) -> Path:
    """Returns the path of a file that `relative` has named, without `..` where that leads to it."""
    path = folder / name
    plain = Path(os.path.normpath(path))
    return plain if _is_same(plain, path) or not path.exists() else path


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
