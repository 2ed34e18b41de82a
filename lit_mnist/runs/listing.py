"""Lists the runs under a log folder with their states and scores, from their small files only.

Neither torch nor checkpoints are loaded, except a checkpoint that has changed since its test, so
that hundreds of runs are listed in seconds, even while they are training. A damaged run is reported
and does not hide the others.
"""

import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.runs import best_score, differing, tested_files
from lit_mnist.runs.config_changes import all_validate
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import flat, read_config

MARKS = frozenset({"results.json", "metrics.csv", ".lock"})
# These may also lie beside runs: a run has them where there is none below it
_WEAK_MARKS = frozenset({"config.yaml", "checkpoints"})


class Listed(NamedTuple):
    """A run in the list; fields are None where nothing is known.

    Attributes:
        run: Its folder below the log folder, such as `deep/seed_42`.
        name: The name in its config.
        seed: Its seed; None for a committee.
        state: running, interrupted, complete, damaged, or "only tested" where nothing was trained.
        epoch: Number of finished epochs, out of `max_epochs`.
        best_val_acc: In [0, 1], as is `test_acc` with its interval.
        best_val_images: On how many images it was measured, if validation is limited to some.
        seconds: Duration of training.
        differs: Options in which the listed runs differ, and `test_images` if tests do.
        problem: Which file cannot be read, or that its test is outdated; empty if nothing is wrong.
    """

    run: str
    name: str
    seed: int | None
    state: str
    epoch: int | None
    max_epochs: int | None
    best_val_acc: float | None
    best_val_images: int | None
    test_acc: float | None
    test_acc_ci95: list[float] | None
    seconds: float | None
    differs: dict[str, Any]
    problem: str


def read(log_dir: Path) -> list[Listed]:
    """Lists the runs under a folder, seed_9 before seed_10.

    Raises:
        UserError: There is no such folder.
    """
    if not log_dir.is_dir():
        raise UserError(f"{log_dir}: no such folder; name that of --log_dir, such as tb_logs")
    folders = _once(_folders(log_dir), log_dir)
    configs, listed, images = [], [], []
    for folder in folders:
        config, row, tested_on = _read(folder, folder.relative_to(log_dir).as_posix())
        configs.append(config)
        listed.append(row)
        images.append(tested_on)
    options = differing.options(configs)
    apart = differing.images([one.get("data.dataset") for one in configs], images)
    triples = zip(listed, options, apart, strict=True)
    return [row._replace(differs=one | marks) for row, one, marks in triples]


def _folders(place: Path, above: frozenset[Path] = frozenset()) -> list[Path]:
    """Returns the runs' folders, links followed, but none that leads back above itself."""
    real = Path(os.path.realpath(place))
    if real in above:
        return []
    try:
        entries = {entry.name: os.path.isdir(entry) for entry in os.scandir(place)}
    except OSError:  # of another user, or gone since
        return []
    marks = {*entries}
    if "hparams.yaml" in marks and not {"results.json", "config.yaml"} & marks:
        marks = set()  # of a logger that a user adds, such as CSVLogger with its own metrics.csv
    if MARKS & marks:
        return [place]  # nothing of interest lies within a run
    folders = [place / name for name, is_folder in entries.items() if is_folder]
    below = [run for folder in folders for run in _folders(folder, above | {real})]
    return below or ([place] if _WEAK_MARKS & marks else [])


def _once(folders: Iterable[Path], log_dir: Path) -> list[Path]:
    """Returns each run once, in order; by its own name if it has other names through links."""
    whole, runs = Path(os.path.realpath(log_dir)), dict[Path, Path]()
    for folder in folders:
        real = Path(os.path.realpath(folder))
        if real not in runs or real == whole / folder.relative_to(log_dir):
            runs[real] = folder
    return sorted(runs.values(), key=files.natural_order)


def _tolerant(read: Callable[[], Any], otherwise: Any, problems: list[str]) -> Any:
    """Reads a file; if it cannot be read, notes the problem and returns `otherwise`."""
    try:
        return read()
    except (UserError, OSError, UnicodeDecodeError) as error:
        problems.append(str(error).partition(";")[0])
        return otherwise


def _read(folder: Path, name: str) -> tuple[dict[str, Any], Listed, str]:
    """Returns a run's flat config, its row without `differs`, and the hash of its test's images."""
    run, problems = Run(folder), list[str]()
    results = _tolerant(run.results, None, problems)
    config = flat(_tolerant(lambda: read_config(run.config_yaml), {}, problems))
    epochs = len(_tolerant(run.history, [], problems))
    known = _valid(folder, results or {}, problems)
    limits, seed = known.get("test_acc_ci95"), known.get("seed", config.get("seed_everything"))
    committee = "model.init_args.checkpoints" in config
    row = Listed(
        run=name,
        name=str(known.get("name", config.get("name", folder.parent.name))),
        seed=None if committee or not isinstance(seed, int) else seed,
        state="damaged" if results is None else _state(run, results),
        epoch=None if committee else _finished_epochs(known, epochs),
        max_epochs=None if committee else _number(config, "trainer.max_epochs"),
        best_val_acc=_number(known, "best_val_acc"),
        best_val_images=None if all_validate(config) else _number(known, "best_val_images"),
        test_acc=_number(known, "test_acc"),
        test_acc_ci95=limits if isinstance(limits, list) and len(limits) == 2 else None,
        seconds=_number(known, "seconds"),
        differs={},
        problem=", ".join(problems),
    )
    return config, row, "" if row.test_acc is None else str(known.get("test_data_sha256", ""))


def _valid(folder: Path, results: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """Returns the results that are of the present files, and notes why others are not."""
    if outdated := _tolerant(lambda: tested_files.why_outdated(folder, results), "", problems):
        results = tested_files.without(results)
        problems.append(f"{outdated}; test it again")
    if replaced := _tolerant(lambda: best_score.why_replaced(folder, results), "", problems):
        results = best_score.without(results)
        problems.append(replaced)
    if other := tested_files.other(folder, results):
        problems.append(f"its test is of {other}")
    return results


def _finished_epochs(results: dict[str, Any], rows: int) -> int | None:
    """Returns the number of finished epochs; while a run trains, its rows are ahead of the file.

    The last row of a run that has ended may be of an epoch that it has not finished.
    """
    count = _number(results, "epochs")
    ended = results.get("status") == "complete" and count is not None
    return count if ended else rows or count


def _state(run: Run, results: dict[str, Any]) -> str:
    """Returns a run's state; a killed run's file says that it is running, but its lock is free."""
    if "status" not in results and "test_checkpoints" in results and not run.exists():
        return "only tested"
    status = str(results.get("status", "running"))
    return "interrupted" if status == "running" and not is_locked(run) else status


def is_locked(run: Run) -> bool:
    """Whether a process is training the run."""
    path = run.file(".lock")
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except (Timeout, OSError):  # in a read-only folder, results.json is believed
        return True


def _number(content: dict[str, Any], key: str) -> Any:
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None
