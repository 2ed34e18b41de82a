"""A committee: several trained networks whose outputs are averaged.

Members run one after the other. Stacked into one batched forward pass (`torch.func.vmap`) the
convolutions become grouped ones, which took twice as long on a CPU (`benchmarks/members.py`).
"""

import glob
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_mnist import checkpoints as checkpoint_files
from lit_mnist.averaging import AVERAGES, combine
from lit_mnist.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.modules import ClassifierModule
from lit_mnist.scoring import ScoredModule


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


class CommitteeScores(NamedTuple):
    """What a batch of B images gets from M members."""

    probabilities: Tensor  # (B, 10): the committee's
    members: Tensor  # (M, B, 10): the members' log-probabilities


class EnsembleModule(ScoredModule):
    """Averages trained networks, of any of our architectures, for test and prediction.

    Its forward pass gives log-probabilities (N, 10); the loss is therefore that of the average. It
    holds no weights of its own and is not trained: `committee` trains its members.

    Args:
        checkpoints: The members' checkpoint files: paths, or patterns such as
            `tb_logs/deep/*/checkpoints/best.ckpt`.
        average: What is averaged: probabilities, logits, or votes.
    """

    def __init__(self, checkpoints: list[str] | str, average: AVERAGES = "probabilities") -> None:
        super().__init__()
        self.checkpoints, self.average = checkpoints, average
        self.members: list[Member] = []

    def configure_model(self) -> None:
        """Loads the members, once.

        Raises:
            UserError: They are no committee; the message names the member.
        """
        if not self.members:
            self.members = load(find(self.checkpoints))
            self.nets = nn.ModuleList(member.net for member in self.members)

    def setup(self, stage: str) -> None:
        """Refuses data that the members were not trained on.

        Raises:
            UserError: Naming what differs.
        """
        self.configure_model()
        data = self.trainer.datamodule  # type: ignore[attr-defined] # Lightning sets it
        for member in self.members if data else ():
            data.load_state_dict(member.trained_on)

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to log-probabilities (N, 10)."""
        return combine(self.log_probs(images), self.average)

    def log_probs(self, images: Tensor) -> Tensor:
        """Gives each member's log-probabilities (M, N, 10)."""
        self.configure_model()
        return torch.stack([net(images) for net in self.nets]).log_softmax(dim=2)

    def test_step(self, batch: Batch, batch_idx: int) -> CommitteeScores:  # type: ignore[override] # more than one network's
        """Scores a batch of the test set."""
        with torch.autocast(self.device.type, enabled=False):
            members = self.log_probs(batch.images)
        log_probs = combine(members, self.average)
        self.score(batch, log_probs, self.test_scores)
        return CommitteeScores(log_probs.exp(), members)

    @property
    def sha256(self) -> str:
        """Hash of the members' hashes, in their order, and of the way they are averaged."""
        said = " ".join([self.average, *(member.sha256 for member in self.members)])
        return hashlib.sha256(said.encode()).hexdigest()


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
    checkpoint = checkpoint_files.read(path)
    weights = checkpoint["state_dict"]
    net = _network(weights, path)
    rows = checkpoint_files.history(checkpoint) or [{}]
    return Member(
        path=path,
        sha256=checkpoint_files.weights_sha256(weights),
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
        if checkpoint_files.shapes(net.state_dict()) == checkpoint_files.shapes(weights):
            net.load_state_dict({k: value.float() for k, value in weights.items()}, assign=True)
            return net.eval()
    names = ", ".join(kind.__name__ for kind in kinds)
    raise UserError(f"{path}: its weights fit none of {names}; name a checkpoint of one of them")
