"""The members of a committee: finds, loads and checks them."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.models.rebuild import rebuild
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import checkpoints, digests, of_training
from lit_mnist.runs.best_score import rounded
from lit_mnist.runs.folder import BEST
from lit_mnist.runs.trained_on import fingerprint_of


class Member(NamedTuple):
    """A trained network.

    Attributes:
        path: Its checkpoint.
        sha256: Hash of its weights.
        module: The LightningModule with its own forward and hyperparameters; on the CPU, in eval
            mode, in the precision that `rebuild` gives it.
        trained_on: Dataset, data and split, as given by `MNISTDataModule.fingerprint`.
        epoch: Epoch of the weights; None if unknown.
        val_acc: Validation accuracy of the weights, in [0, 1]; None if unknown.
        val_images: On how many images it was measured; None if unknown.
        history: Rows of `metrics.csv` of its training; empty if unknown.
    """

    path: Path
    sha256: str
    module: ScoredModule
    trained_on: dict[str, Any]
    epoch: int | None
    val_acc: float | None
    val_images: int | None
    history: list[dict[str, float]]

    @property
    def fold(self) -> int | None:
        """The fold that it was validated on; None for the notebook's split."""
        return self.trained_on.get("fold")

    @property
    def name(self) -> str:
        """Name of the run whose best it is, such as `deep/seed_42`.

        Another checkpoint in a run's folder has its file's name in addition, and one in no run its
        path: it may be any run's.
        """
        path = self.path.resolve()
        run = path.parent.parent
        if not run.name.startswith("seed_"):
            return str(self.path)
        return f"{run.parent.name}/{run.name}" + ("" if path.name == BEST else f"/{path.name}")


def find(patterns: Sequence[str] | str) -> list[Path]:
    """Lists the files that match paths and patterns, in their order; a pattern's files are sorted.

    Raises:
        UserError: A pattern matches no file, or all together match fewer than two.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    paths: list[Path] = []
    for pattern in map(os.path.expanduser, patterns):
        matches = [pattern] if Path(pattern).exists() else glob.glob(pattern)
        named = sorted(map(Path, matches), key=files.natural_order)
        if not named:
            files.refuse_url(pattern, "--model.checkpoints")
            raise UserError(f"--model.checkpoints {pattern}: no such file; train members with fit")
        paths += named
    if len(paths) < 2:
        found = f"only {paths[0]}" if paths else "nothing"
        raise UserError(f"--model.checkpoints names {found}; a committee has two members or more")
    return paths


def load(paths: Sequence[Path], known_classes: Sequence[type] = ()) -> list[Member]:
    """Loads the members and checks that they can form a committee. Draws no random numbers.

    Args:
        paths: Their checkpoints.
        known_classes: The user's own classes that the checkpoints may name.

    Raises:
        UserError: A file is damaged or of an unknown class, two members have the same weights, or
            members were trained on different data or splits. Members of different folds of one
            partition are accepted.
    """
    members = [_read(path, known_classes) for path in paths]
    known: dict[str, tuple[Any, Path]] = {}  # by fact: its value, and a member that states it
    for place, member in enumerate(members):
        for other in members[:place]:
            if member.sha256 == other.sha256:
                raise UserError(
                    f"{member.path} and {other.path} hold the same weights; leave one out"
                )
        for key, value in _shared(member.trained_on).items():
            other_value, path = known.setdefault(key, (value, member.path))
            if value != other_value:
                raise UserError(
                    f"{member.path}: trained with {key} {value}, but {path} with {other_value};"
                    " a committee's members share their data"
                )
    return members


def _shared(trained_on: dict[str, Any]) -> dict[str, Any]:
    """Returns the part of a fingerprint that all members share: all but the fold."""
    per_member = ("fold", "split_sha256") if "folds" in trained_on else ()
    return {"folds": None} | {key: trained_on[key] for key in trained_on if key not in per_member}


def in_common(members: Sequence[Member]) -> dict[str, Any]:
    """Returns the fingerprint that all members share."""
    return {
        key: value
        for key, value in members[0].trained_on.items()
        if all(member.trained_on.get(key) == value for member in members)
    }


def _read(path: Path, known_classes: Sequence[type]) -> Member:
    checkpoint = checkpoints.read(path)
    scores = checkpoints.scores(checkpoint)
    return Member(
        path=path,
        sha256=digests.of_weights(checkpoint["state_dict"]),
        module=rebuild(checkpoint, path, known_classes),
        trained_on=fingerprint_of(checkpoint),
        epoch=checkpoint.get("epoch"),
        history=of_training.history(path, checkpoint),
        val_acc=rounded(scores["val_acc"]) if "val_acc" in scores else None,
        val_images=int(scores["images"]) if "images" in scores else None,
    )
