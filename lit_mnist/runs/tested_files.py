"""Whether the checkpoints that were tested are still the same files, without a look at weights.

`tested.doubt` reads them and is exact. A list of hundreds of runs can't wait for that: here only a
file that is newer than the test is read, and only to be hashed.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CHANGED = "its weights are no longer those that were tested"
KEY = "test_files_sha256"  # in results.json


def files_sha256(paths: Iterable[Path]) -> str:
    """Hashes the hashes of files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def changed(folder: Path, results: Mapping[str, Any]) -> bool:
    """Tells whether a run was tested with other files than there are now.

    Args:
        folder: The run's.
        results: What its `results.json` says.
    """
    named, known = results.get("test_checkpoints"), results.get(KEY)
    if not isinstance(named, list) or not isinstance(known, str):
        return False  # never tested, or by an earlier version
    paths = [folder / str(name) for name in named]
    try:
        since = (folder / "results.json").stat().st_mtime_ns
        newer = [path for path in paths if _touched(path) > since]
        return bool(newer) and files_sha256(paths) != known
    except OSError:  # they are gone, or out of reach
        return False


def _touched(path: Path) -> int:
    """When a file was written, or put in its place, in ns."""
    known = path.stat()
    return max(known.st_mtime_ns, known.st_ctime_ns)
