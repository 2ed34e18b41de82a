"""Names of runs in tables and charts."""

from collections.abc import Sequence
from pathlib import Path


def of(folder: Path) -> str:
    """Names a run by the last two parts of its path, such as `deep/seed_42`."""
    return "/".join(folder.resolve().parts[-2:])


def of_folders(folders: Sequence[Path]) -> list[str]:
    """Names runs as `of` does, and by their paths where that is not unique."""
    return distinct(list(map(of, folders)), folders)


def distinct(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Returns the names; where two are equal, as of runs in two log folders, the paths instead."""
    pairs = zip(names, paths, strict=True)
    return [name if names.count(name) == 1 else str(path) for name, path in pairs]
