"""The members of a committee: found by their paths, read, and made sure to belong together."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_mnist.errors import UserError
from lit_mnist.models.modules import ClassifierModule
from lit_mnist.runs import checkpoints


class Member(NamedTuple):
    """A trained network.

    Attributes:
        path: Its checkpoint.
        sha256: Hash of its weights.
        net: On the CPU, for evaluation, in float32.
        trained_on: Dataset, data and split, as `MNISTDataModule.identity` tells them.
        epoch: The epoch of the weights, and `val_acc` their validation accuracy; None if unknown.
    """

    path: Path
    sha256: str
    net: nn.Module
    trained_on: dict[str, Any]
    epoch: int | None
    val_acc: float | None

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


def load(paths: Sequence[Path]) -> list[Member]:
    """Reads the members and makes sure that they are a committee. Draws no random numbers.

    Raises:
        UserError: A file is damaged or fits no architecture, two members have the same weights, or
            one was trained on other data, another split, or images in another form.
    """
    members = [_read(path) for path in paths]
    known: dict[str, tuple[Any, Path]] = {}  # what is said of the data, and by whom
    for place, member in enumerate(members):
        for other in members[:place]:
            if member.sha256 == other.sha256:
                raise UserError(
                    f"{member.path} and {other.path} hold the same weights; leave one out"
                )
        for key, here in member.trained_on.items():
            there, path = known.setdefault(key, (here, member.path))
            if here != there:
                raise UserError(
                    f"{member.path}: trained with {key} {here}, but {path} with {there};"
                    " a committee's members share their data"
                )
    return members


def _read(path: Path) -> Member:
    checkpoint = checkpoints.read(path)
    weights = checkpoint["state_dict"]
    net = _network(weights, path)
    rows = checkpoints.history(checkpoint) or [{}]
    return Member(
        path=path,
        sha256=checkpoints.weights_sha256(weights),
        net=net,
        trained_on=checkpoint.get("MNISTDataModule", {}),
        epoch=checkpoint.get("epoch"),
        val_acc=rows[-1].get("val_acc"),
    )


def _network(weights: dict[str, Tensor], path: Path) -> nn.Module:
    """Builds the network that the weights fit; what the file says of its class is not relied on."""
    weights = {name.removeprefix("net."): value for name, value in weights.items()}
    kinds = ClassifierModule.__subclasses__()
    for kind in kinds:
        with torch.device("meta"):  # no memory, and no random numbers for weights to come
            net = kind.net_type()
        if checkpoints.shapes(net.state_dict()) == checkpoints.shapes(weights):
            net.load_state_dict({k: value.float() for k, value in weights.items()}, assign=True)
            return net.eval()
    names = ", ".join(kind.__name__ for kind in kinds)
    raise UserError(f"{path}: its weights fit none of {names}; name a checkpoint of one of them")
