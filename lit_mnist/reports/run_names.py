"""Names of runs in tables and charts."""

from collections.abc import Sequence
from pathlib import Path


def of_folders(folders: Sequence[Path]) -> list[str]:
    """Names runs by the last two parts of their paths, such as `deep/seed_42`."""
    return distinct(["/".join(folder.resolve().parts[-2:]) for folder in folders], folders)


def distinct(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Returns the names; where two are equal, as of runs in two log folders, the paths instead."""
    pairs = zip(names, paths, strict=True)
    return [name if names.count(name) == 1 else str(path) for name, path in pairs]
