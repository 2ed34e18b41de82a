"""Whether a run's test is valid: of the present weights, of all images, and unaltered.

A valid test is recorded in `results.json` by the hashes of the weights, of the test images and of
`predictions.csv`. A test of only some of the images, or of weights that were rounded or swapped by
a callback, leaves no record.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints, digests, ledger, tested_files
from lit_mnist.runs.folder import Run
from lit_mnist.runs.relative_paths import relative

NEVER = "it has not been tested since it was trained"
UNANSWERED = "its test has no score, as some answers were NaN"


class Weights(NamedTuple):
    """The weights that are tested.

    Attributes:
        sha256: Hash of the weights; for a committee, see `digests.of_committee`.
        paths: The checkpoint, or those of a committee's members.
        average: How a committee averages; None for a single module.
        epoch: Epoch of a single module's weights.
        step: Step of a single module's weights, as in TensorBoard.
        scores: What `checkpoints.scores` returns for a single module's weights.
    """

    sha256: str
    paths: tuple[Path, ...]
    average: str | None = None
    epoch: int = 0
    step: int = 0
    scores: Mapping[str, float] = MappingProxyType({})

    @classmethod
    def of(cls, path: Path, checkpoint: dict[str, Any]) -> Self:
        """Describes the weights of a checkpoint that was read from a path."""
        digest = digests.of_weights(checkpoint["state_dict"])
        epoch, scores = int(checkpoint.get("epoch", 0)), checkpoints.scores(checkpoint)
        return cls(digest, (path,), epoch=epoch, step=_last_step(checkpoint), scores=scores)


def _last_step(checkpoint: dict[str, Any]) -> int:
    """Returns the step at which Lightning has logged last: under manual optimization, a batch."""
    steps = int(checkpoint.get("global_step", 0))
    with suppress(KeyError, TypeError, ValueError):  # written by hand
        loop = checkpoint["loops"]["fit_loop"]
        automatic = loop["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]["step"]
        if not automatic["total"]["completed"]:
            steps = int(loop["epoch_loop.batch_progress"]["total"]["ready"])
    return max(steps - 1, 0)


def holding(run: Run, weights: Weights) -> tuple[Sequence[Path], str]:
    """Returns the files that hold the tested weights, and their hash; none if they were replaced.

    A `fit` in another terminal replaces `last.ckpt` after each epoch, and `best.ckpt` by a better.
    """
    # the best first, whichever file they were read from: the last is the best's equal at times
    own = [[run.best]] if weights.average is None else []
    for paths in (*own, weights.paths):
        if sha256 := held_by(paths, weights):
            return paths, sha256
    return (), ""


def held_by(paths: Sequence[Path], weights: Weights) -> str:
    """Returns the hash of files if they hold these weights; empty if they hold others, or none."""
    try:
        sha256 = tested_files.files_sha256(paths)  # first, or it may be a newer file's
        return sha256 if weights_sha256(paths, weights.average) == weights.sha256 else ""
    except (UserError, OSError):  # gone or damaged
        return ""


def are_others_now(weights: Weights) -> bool:
    """Whether a file that was read holds other weights; a committee has read its members once."""
    return weights.average is None and not held_by(weights.paths, weights)


def record(run: Run, weights: Weights, data_sha256: str, table: str) -> dict[str, Any]:
    """Returns the record for `results.json`; call it once `predictions.csv` is written.

    Args:
        run: The folder.
        weights: The tested weights.
        data_sha256: Hash of the test images and labels, as in `read.Split`.
        table: What this test wrote to `predictions.csv`, which another may have replaced.

    Raises:
        UserError: The tested weights were replaced meanwhile.
    """
    paths, files_sha256 = holding(run, weights)
    if not paths:
        raise UserError(f"{replaced(weights)}; run test again")
    return {
        # relative, so that they stay valid if the log folder is moved
        "test_checkpoints": [relative(path, run.folder) for path in paths],
        "test_average": weights.average,
        "test_weights_sha256": weights.sha256,
        tested_files.KEY: files_sha256,
        "test_data_sha256": data_sha256,
        "test_predictions_sha256": hashlib.sha256(table.encode()).hexdigest(),
    }


def replaced(weights: Weights) -> str:
    """Describes weights that are in none of their files any more."""
    first, *more = weights.paths
    return f"{first}{' or another member' if more else ''}: gone or replaced since it was read"


def lower_precision(run: Run, precision: str) -> str:
    """Describes a precision that rounds the weights more than the run's own; empty if exact.

    Args:
        run: The folder.
        precision: As `trainers.precision` names it; a plugin of the user's may round them.
    """
    rounds = not precision.startswith(("32", "64")) and not precision.endswith("-mixed")
    own = run.results().get("precision", "float32")  # a committee's folder has none
    if not rounds or precision == own:
        return ""
    surely = "rounds" if precision.endswith("-true") else "may round"
    return f"tested in {precision}, which {surely} the weights of a run in {own}"


def why_untested(run: Run, weights_sha256: str = "", data_sha256: str = "") -> str:
    """Returns the reason why the run's test is not valid; empty if it is.

    Args:
        run: The folder.
        weights_sha256: Hash that the tested weights must have; if empty, the hash of the weights
            now in the tested files.
        data_sha256: Hash that the test images must have; empty if any are accepted.
    """
    results = run.results()
    if "test_weights_sha256" not in results:
        return UNANSWERED if _answered_nan(run, weights_sha256) else NEVER
    if not {"test_predictions_sha256", "test_data_sha256"} <= results.keys():
        return "it was tested by an earlier version, which did not note on which images"
    if not files.is_file(run.predictions):
        return f"its {run.predictions.name} is gone"
    if results["test_predictions_sha256"] != tested_files.table_sha256(run.predictions):
        return f"its {run.predictions.name} is not that of its test"
    now = weights_sha256 or _weights_now(run, results)
    if now not in ("", results["test_weights_sha256"]):
        return tested_files.CHANGED
    if data_sha256 not in ("", results.get("test_data_sha256")):
        return "it was tested on other images"
    return ""


def _answered_nan(run: Run, sha256: str) -> bool:
    """Whether the last look at the test set was with these weights, and their loss was NaN."""
    looks = ledger.read(run.folder).looks
    if not looks or looks[-1].get("test_loss") != "nan":
        return False
    try:
        return looks[-1]["weights_sha256"] == (sha256 or weights_sha256([run.evaluated()[0]]))
    except UserError:  # they are gone or damaged
        return False


def _weights_now(run: Run, results: dict[str, Any]) -> str:
    """Hashes the weights now in the tested files; empty if a file is gone."""
    named = results.get("test_checkpoints")
    paths = [run.folder / str(name) for name in named] if isinstance(named, list) else []
    if not paths or not all(path.is_file() for path in paths):
        return ""
    try:
        return weights_sha256(paths, results.get("test_average"))
    except UserError:
        return "damaged"


def weights_sha256(paths: Sequence[Path], average: str | None = None) -> str:
    """Hashes a checkpoint's weights, or those of a committee with this way to average.

    Raises:
        UserError: A checkpoint is missing or damaged.
    """
    hashes = [digests.of_weights(checkpoints.read(path)["state_dict"]) for path in paths]
    return hashes[0] if average is None else digests.of_committee(average, hashes)
