"""A committee: several trained modules whose outputs are averaged.

Members run one after the other. Stacked into one batched forward pass (`torch.func.vmap`), their
convolutions become grouped ones, which take 1.5 times as long on a CPU (`benchmarks/members.py`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lit_mnist import trainers
from lit_mnist.data.as_batch import as_batch
from lit_mnist.data.batches import Batch
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError
from lit_mnist.models import cascade, members
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.models.averaging import combine
from lit_mnist.models.logits import exact
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.models.trained import listed
from lit_mnist.runs import digests


class CommitteeScores(NamedTuple):
    """Outputs of M members for a batch of B images."""

    probabilities: Tensor  # (B, 10): the committee's
    members: Tensor  # (M, B, 10): the members' log-probabilities


class EnsembleModule(ScoredModule):
    """A committee: averages trained modules, ours and a user's own, for test and prediction.

    Its forward pass gives log-probabilities (N, 10), so the loss is that of the average. It has no
    weights of its own and is not trained: the command `committee` trains its members.

    Args:
        checkpoints: The members' checkpoint files: paths, or patterns such as
            `tb_logs/deep/*/checkpoints/best.ckpt`.
        average: What is averaged: probabilities, logits, or votes.
        cascade: Run members one after another until the answer is sure, by thresholds set on
            validation. `predict` uses the thresholds of the committee's last test; `test` times the
            cascade and the whole committee, and reports the scores of the whole committee.
        classes: Classes of your own that the checkpoints may name, such as `my_module.TinyModule`.
            Nothing is imported because a checkpoint names it.
    """

    def __init__(
        self,
        checkpoints: list[str] | str,
        average: AVERAGES = DEFAULT_AVERAGE,
        cascade: bool = False,
        classes: list[type[object]] | type[object] | None = None,
    ) -> None:
        super().__init__()
        if cascade and average != "probabilities":
            raise UserError(f"--model.cascade: averages probabilities, not {average}")
        self.checkpoints, self.average, self.cascade = checkpoints, average, cascade
        self.thresholds: list[float] = []  # of the cascade; empty: all members are used
        self.used, self.images = 0, 0  # by the cascade: member calls, and images
        self.classes = listed(classes)
        self.members: list[members.Member] = []

    def configure_model(self) -> None:
        """Loads the members, once.

        Raises:
            UserError: They cannot form a committee; the message names the member.
        """
        if not self.members:
            self.members = members.load(members.find(self.checkpoints), self.classes)
            self.nets = nn.ModuleList(member.module for member in self.members)

    def setup(self, stage: str) -> None:
        """Refuses data that the members were not trained on, and folds that no member held out.

        Raises:
            UserError: Naming what differs.
        """
        self.configure_model()
        data = self._own_data()
        if data is None:
            return
        for member in self.members:
            data.load_state_dict(member.trained_on)
        if data.partition.folds and data.partition.whole:
            self._check_folds(data.partition.folds)

    def _own_data(self) -> MNISTDataModule | None:
        """Returns the trainer's data module, if it is ours: no other knows hashes and folds."""
        data: Any = getattr(self._trainer, "datamodule", None)
        is_ours = isinstance(data, MNISTDataModule) and trainers.reads_from(self._trainer, data)
        return data if is_ours else None

    def _check_folds(self, folds: int) -> None:
        held_out = {member.fold for member in self.members}
        missing = [str(fold) for fold in range(folds) if fold not in held_out]
        if missing:
            raise UserError(
                f"--data.folds {folds}: no member was validated on part {', '.join(missing)}; name"
                " a member of each"
            )

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to log-probabilities (N, 10)."""
        if not self.thresholds:
            return combine(self.log_probs(images), self.average)
        outcome = self.run_cascade(images, self.thresholds)
        self.used, self.images = self.used + int(outcome.used.sum()), self.images + len(images)
        return outcome.probabilities.log().float().to(images.device)

    def run_cascade(self, images: Tensor, thresholds: Sequence[float]) -> cascade.Outcome:
        """Runs the cascade on float images (N, 1, 28, 28) in [0, 1]; its outcome is on the CPU."""
        self.configure_model()
        calls = [lambda some, net=net: exact(net(some)).log_softmax(1) for net in self.nets]
        return cascade.run(calls, images, thresholds)

    def log_probs(self, images: Tensor) -> Tensor:
        """Returns each member's log-probabilities (M, N, 10)."""
        self.configure_model()
        return torch.stack([exact(net(images)) for net in self.nets]).log_softmax(dim=2)

    def held_out_by(self, indices: Tensor) -> Tensor:
        """Returns which members held out which images: bool (N, M), on the CPU.

        Args:
            indices: int64 (N,): positions in the training set.
        """
        data = self._own_data()
        if not (data and data.partition.whole):
            return torch.ones(len(indices), len(self.members), dtype=torch.bool)
        folds = data.partition.fold_of_each(len(data.train_set.labels))[indices.cpu()]
        member_folds = [-1 if member.fold is None else member.fold for member in self.members]
        return folds[:, None] == torch.tensor(member_folds)

    def evaluate_held_out(self, batch: Batch) -> Tensor:
        """Returns log-probabilities (B, 10); with folds, of the members that held the image out."""
        data = self._own_data()
        if not (data and data.partition.whole):
            return self.evaluate(batch)
        by = self.held_out_by(batch.indices)
        places, log_probs = [], []  # of one group each: their precision may differ
        with torch.autocast(self.device.type, enabled=False):
            for group in by.unique(dim=0):  # the members of one fold
                rows = (by == group).all(dim=1).to(batch.images.device)
                nets = [net for net, used in zip(self.nets, group, strict=True) if used]
                logits = torch.stack([exact(net(batch.images[rows])) for net in nets])
                log_probs.append(combine(logits.log_softmax(dim=2), self.average))
                places.append(rows.nonzero()[:, 0])
        return torch.cat(log_probs)[torch.cat(places).argsort()]

    def test_step(self, batch: Batch, batch_idx: int) -> CommitteeScores:  # type: ignore[override] # more than one network's
        """Scores a batch of the test set."""
        batch = as_batch(batch)
        self.log_scores("test", batch_idx)
        with torch.autocast(self.device.type, enabled=False):
            member_log_probs = self.log_probs(batch.images)
        log_probs = combine(member_log_probs, self.average)
        self.score(batch, log_probs, self.test_scores)
        return CommitteeScores(log_probs.exp(), member_log_probs)

    @property
    def sha256(self) -> str:
        """Hash of the members' hashes, in order, and of the way to average."""
        hashes = [member.sha256 for member in self.members]
        return digests.of_committee(self.average, hashes)


def nets_of(module: LightningModule) -> list[nn.Module]:
    """Returns the members of a committee, or a list of the module itself."""
    return list(module.nets) if isinstance(module, EnsembleModule) else [module]


def held_out_by(module: LightningModule, indices: Tensor) -> Tensor:
    """Returns which of a module's `nets_of` held out which images: bool (N, M).

    Args:
        module: A module with a trainer.
        indices: int64 (N,): positions in the training set.
    """
    if isinstance(module, EnsembleModule):
        return module.held_out_by(indices)
    return torch.ones(len(indices), 1, dtype=torch.bool)
