"""The members of a committee: found by their paths, read, and made sure to belong together."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lit_mnist.errors import UserError
from lit_mnist.models.rebuild import rebuild
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import checkpoints


class Member(NamedTuple):
    """A trained network.

    Attributes:
        path: Its checkpoint.
        sha256: Hash of its weights.
        module: What trained it, with its own forward and hyperparameters; on the CPU, for
            evaluation, in float32.
        trained_on: Dataset, data and split, as `MNISTDataModule.identity` tells them.
        epoch: The epoch of the weights, and `val_acc` their validation accuracy; None if unknown.
    """

    path: Path
    sha256: str
    module: ScoredModule
    trained_on: dict[str, Any]
    epoch: int | None
    val_acc: float | None

    @property
    def fold(self) -> int | None:
        """The part of the training images that it was validated on; None for the notebook's."""
        return self.trained_on.get("fold")

    @property
    def name(self) -> str:
        """The run, such as `deep/seed_42`; the path, if it lies elsewhere."""
        run = self.path.resolve().parent.parent
        return f"{run.parent.name}/{run.name}" if run.name.startswith("seed_") else str(self.path)


def find(patterns: Sequence[str] | str) -> list[Path]:
    """Lists the files that paths and patterns name, in their order; those of a pattern sorted.

    Raises:
        UserError: One names no file, or all together name fewer than two.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    paths: list[Path] = []
    for pattern in patterns:
        there = Path(pattern).exists()
        named = (
            [Path(pattern)] if there else list(map(Path, sorted(glob.glob(pattern), key=_order)))
        )
        if not named:
            raise UserError(f"--model.checkpoints {pattern}: no such file; train members with fit")
        paths += named
    if len(paths) < 2:
        found = f"only {paths[0]}" if paths else "nothing"
        raise UserError(f"--model.checkpoints names {found}; a committee has two members or more")
    return paths


def _order(path: str) -> list[tuple[int, str]]:
    """Sorts seed_9 before seed_10, as `committee` does."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", path)]


def load(paths: Sequence[Path], known_classes: Sequence[type] = ()) -> list[Member]:
    """Reads the members and makes sure that they are a committee. Draws no random numbers.

    Args:
        paths: Their checkpoints.
        known_classes: Classes of a user's own that may be named in them.

    Raises:
        UserError: A file is damaged or of an unknown class, two members have the same weights, or
            one was trained on other data, another split, or images in another form. Folds of one
            split are none, of as many parts.
    """
    members = [_read(path, known_classes) for path in paths]
    known: dict[str, tuple[Any, Path]] = {}  # what is said of the data, and by whom
    for place, member in enumerate(members):
        for other in members[:place]:
            if member.sha256 == other.sha256:
                raise UserError(
                    f"{member.path} and {other.path} hold the same weights; leave one out"
                )
        for key, here in _shared(member.trained_on).items():
            there, path = known.setdefault(key, (here, member.path))
            if here != there:
                raise UserError(
                    f"{member.path}: trained with {key} {here}, but {path} with {there};"
                    " a committee's members share their data"
                )
    return members


def _shared(trained_on: dict[str, Any]) -> dict[str, Any]:
    """Gives what all members must have in common; of folds, not which part was left out."""
    own = ("fold", "split_sha256") if "folds" in trained_on else ()
    return {"folds": None} | {key: trained_on[key] for key in trained_on if key not in own}


def in_common(members: Sequence[Member]) -> dict[str, Any]:
    """Gives what all members were trained on."""
    return {
        key: value
        for key, value in members[0].trained_on.items()
        if all(member.trained_on.get(key) == value for member in members)
    }


def _read(path: Path, known_classes: Sequence[type]) -> Member:
    checkpoint = checkpoints.read(path)
    rows = checkpoints.history(checkpoint) or [{}]
    return Member(
        path=path,
        sha256=checkpoints.weights_sha256(checkpoint["state_dict"]),
        module=rebuild(checkpoint, path, known_classes),
        trained_on=checkpoint.get("MNISTDataModule", {}),
        epoch=checkpoint.get("epoch"),
        val_acc=rows[-1].get("val_acc"),
    )
