"""Whether the files of a test are still the same, without loading weights.

`tested.why_untested` loads them and is exact, but too slow for a list of hundreds of runs: here a
checkpoint is read, and only hashed, if it is newer than the test. `predictions.csv` always is: in
two milliseconds, for 10,000 images.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_mnist import files
from lit_mnist.runs.folder import Run

CHANGED = "its weights are no longer those that were tested"
UNFINISHED = "its test was not finished"
KEY = "test_files_sha256"  # in results.json
_OF_TEST = ("test_", "calibration", "novelty", "cascade")  # how its entries begin there


def without(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of `results.json` but for those about the test."""
    return {key: value for key, value in results.items() if not key.startswith(_OF_TEST)}


def files_sha256(paths: Iterable[Path]) -> str:
    """Hashes the hashes of files, in order."""
    digest = hashlib.sha256()
    for path in paths:
        files.is_file(path)  # or a pipe would be waited for
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def why_outdated(folder: Path, results: Mapping[str, Any]) -> str:
    """Returns why a run's test is not valid, as far as files tell; empty if nothing is known.

    Args:
        folder: The run's folder.
        results: Content of its `results.json`.
    """
    named, sha256 = results.get("test_checkpoints"), results.get(KEY)
    if not isinstance(named, list) or not isinstance(sha256, str):
        begun = "test_reads" in results and "test_weights_sha256" not in results
        return UNFINISHED if begun else ""  # never tested, or by an earlier version
    paths = [folder / str(name) for name in named]
    run = Run(folder)
    table = run.predictions
    if not table.exists():
        return f"its {table.name} is gone"
    try:
        now = table_sha256(table)
        if results.get("test_predictions_sha256", now) != now:  # 0.1.0 did not note it
            return f"its {table.name} is not that of its test"
        # both: a validation of a committee writes results.json again, and is no test
        since = min(path.stat().st_mtime_ns for path in (run.results_json, table))
        return CHANGED if changed(paths, since, sha256) else ""
    except OSError:  # they are gone or cannot be read
        return ""


def table_sha256(path: Path) -> str:
    """Hashes `predictions.csv`, as `results.json` has its hash."""
    files.is_file(path)  # or a pipe would be waited for
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def other(folder: Path, results: Mapping[str, Any]) -> str:
    """Returns the tested checkpoint, if it is not the one that the run's validation score is of."""
    named = results.get("test_checkpoints") or []
    if len(named) != 1:  # never tested, or a committee
        return ""
    run, path = Run(folder), (folder / str(named[0])).resolve()
    no_best = not run.best.exists() and "best_val_acc" not in results
    own = {run.best.resolve(), *([run.last.resolve()] if no_best else [])}
    return "" if path in own else str(named[0])


def changed(paths: Sequence[Path], since: int, sha256: str) -> bool:
    """Whether files are no longer those of a hash; it is only computed if one is newer than that.

    Args:
        paths: The files.
        since: When they were hashed, in ns.
        sha256: Their hash, as given by `files_sha256`.
    """
    return any(touched(path) > since for path in paths) and files_sha256(paths) != sha256


def touched(path: Path) -> int:
    """Returns the time at which a file was written or moved into place, in ns."""
    stat = path.stat()
    return max(stat.st_mtime_ns, stat.st_ctime_ns)
