"""Whether the tested checkpoints are still the same files, without loading weights.

`tested.doubt` loads them and is exact, but too slow for a list of hundreds of runs: here a file is
read, and only hashed, if it is newer than the test.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lit_mnist import files

CHANGED = "its weights are no longer those that were tested"
KEY = "test_files_sha256"  # in results.json


def files_sha256(paths: Iterable[Path]) -> str:
    """Hashes the hashes of files, in order."""
    digest = hashlib.sha256()
    for path in paths:
        files.is_file(path)  # or a pipe would be waited for
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def changed(folder: Path, results: Mapping[str, Any]) -> bool:
    """Returns whether a run's checkpoints have changed since its test.

    Args:
        folder: The run's folder.
        results: Content of its `results.json`.
    """
    named, sha256 = results.get("test_checkpoints"), results.get(KEY)
    if not isinstance(named, list) or not isinstance(sha256, str):
        return False  # never tested, or by an earlier version
    paths = [folder / str(name) for name in named]
    try:
        # both: a validation of a committee writes results.json again, and is no test
        written = [folder / name for name in ("results.json", "predictions.csv")]
        since = min(path.stat().st_mtime_ns for path in written if path.exists())
        newer = [path for path in paths if touched(path) > since]
        return bool(newer) and files_sha256(paths) != sha256
    except OSError:  # they are gone or cannot be read
        return False


def foreign(folder: Path, results: Mapping[str, Any]) -> str:
    """Returns the tested checkpoint if it lies outside of a run that has its own; else nothing.

    Args:
        folder: The run's folder.
        results: Content of its `results.json`.
    """
    named = results.get("test_checkpoints") or []
    own = any((folder / "checkpoints").glob("*.ckpt"))  # of which a committee has none
    outside = [
        name for name in named if Path(name).is_absolute() or Path(name).parts[:1] == ("..",)
    ]
    return outside[0] if own and outside else ""


def touched(path: Path) -> int:
    """Time at which a file was written or moved into place, in ns."""
    stat = path.stat()
    return max(stat.st_mtime_ns, stat.st_ctime_ns)
