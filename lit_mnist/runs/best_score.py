"""The score of `best.ckpt` in `results.json`, and whether the file is still the one it is of.

As in `tested_files`, no weights are loaded, except to refresh that score.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_mnist.errors import UserError
from lit_mnist.runs import tested_files
from lit_mnist.runs.folder import Run

if TYPE_CHECKING:
    from lit_mnist.runs.tested import Weights

KEY = "best_file_sha256"  # in results.json
TOUCHED = "best_file_touched"  # when that file was put in place, in ns; others newer are hashed
REPLACED = "its best.ckpt is another file than the one that was scored; test it again"


def entries_of(scores: Mapping[str, float]) -> dict[str, Any]:
    """Returns the entries of `results.json`, from what `checkpoints.scores` returns."""
    if not scores:
        return {}
    names = [name for name in ("val_acc", "val_loss") if name in scores]
    found = {f"best_{name}": rounded(scores[name]) for name in names}
    counted = {"best_val_images": int(scores["images"])} if "images" in scores else {}
    return {"best_epoch": int(scores["epoch"]), **found, **counted}


def rounded(score: float) -> float:
    """Rounds a score to seven digits, the precision of float32, as in `metrics.csv`."""
    return float(f"{score:.7g}")


def note(run: Run) -> None:
    """Notes which file the score is of, once no more is written to it."""
    if "best_val_acc" in run.results() and run.best.is_file():
        touched = tested_files.touched(run.best)  # first, or it may be a newer file's
        run.update_results(**{KEY: tested_files.files_sha256([run.best]), TOUCHED: touched})


def why_replaced(folder: Path, results: Mapping[str, Any]) -> str:
    """Returns that a trained run's `best.ckpt` is no longer the scored file; empty if it is."""
    run, noted = Run(folder), results.get(KEY)
    if not isinstance(noted, str) or not run.best.is_file():
        return ""  # trained by an earlier version, or training still
    # by an earlier version: when anything was last written down, which may be later
    since = results.get(TOUCHED) or run.results_json.stat().st_mtime_ns
    return REPLACED if tested_files.changed([run.best], since, noted) else ""


def unsaved(run: Run) -> str:
    """Tells what `best.ckpt` lacks: an average, or better weights that no checkpoint has.

    Returns:
        A line for the user; empty if it lacks nothing, or may be of another run.
    """
    if run.best.is_file() and set_at_end(run):
        return (
            f"{run.best} lacks the weights that were set at the end, such as an average: they are"
            f" in {run.last}"
        )
    results = run.results()
    best, epoch = results.get("best_val_acc"), results.get("best_epoch")
    try:
        rows = {row["epoch"]: rounded(row.get("val_acc", math.nan)) for row in run.history()}
    except UserError:  # the table is damaged
        return ""
    if best is None or epoch is None or rows.get(epoch) != best:
        return ""
    later = [score for number, score in rows.items() if number > epoch and score > best]
    if not later:
        return ""
    return (
        f"{run.best} is of epoch {epoch}, with val_acc {best:.4f}: later epochs scored up to"
        f" {max(later):.4f}, but their weights changed after the validation"
    )


def set_at_end(run: Run) -> bool:
    """Whether `last.ckpt` holds weights that were set after the last epoch, such as an average."""
    from lit_mnist.runs import checkpoints, entries  # torch

    with suppress(UserError):  # it is gone or damaged
        return bool(entries.get(checkpoints.read(run.last), entries.AT_END))
    return False


def without(results: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of `results.json` but for those about the best."""
    return {key: value for key, value in results.items() if not key.startswith("best_")}


def write(run: Run, scores: Mapping[str, float]) -> None:
    """Writes the score of a file that may still be replaced, in place of another file's."""
    run.change_results(lambda known: without(known) | entries_of(scores))


def refresh(run: Run, path: str | None, weights: "Weights") -> None:
    """Writes the score of the `best.ckpt` that is there now, in place of another file's.

    Args:
        run: The folder.
        path: A checkpoint that was read; nothing is done unless it is the run's `best.ckpt`.
        weights: What was read from it; nothing is done if it holds others now, as `fit`, which
            has replaced it, writes their score.
    """
    if path is None or Path(path).resolve() != run.best.resolve():
        return
    run.change_results(lambda known: _refreshed(known, weights, run))


def _refreshed(known: dict[str, Any], weights: "Weights", run: Run) -> dict[str, Any]:
    from lit_mnist.runs import tested  # imports torch, which the list of runs does without

    touched, sha256 = tested_files.touched(run.best), tested.held_by([run.best], weights)
    if known.get(KEY) == sha256:  # a copy of the file is no reason to write
        touched = known.get(TOUCHED, touched)
    noted = {KEY: sha256, TOUCHED: touched} if weights.scores else {}
    return without(known) | entries_of(weights.scores) | noted if sha256 else known
