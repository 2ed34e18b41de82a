"""Entries of `results.json` about a committee and each of its members."""

from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from lit_mnist.machine.hardware import device_name, versions
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.members import Member, in_common
from lit_mnist.reports.scores import test_scores


def committee_facts(trainer: Trainer, committee: EnsembleModule, name: str) -> dict[str, Any]:
    """Returns the facts about a committee that do not depend on its predictions."""
    return {
        "status": "complete",
        "name": name,
        "average": committee.average,
        "choice": "all members that were named; none by its scores",
        **in_common(committee.members),
        "hardware": device_name(trainer.strategy.root_device),
        "versions": versions(),
    }


def member_facts(member: Member, name: str, log_probs: Tensor, labels: Tensor) -> dict[str, Any]:
    """Returns the facts and test scores of a member.

    Args:
        member: The member.
        name: Its name, which no other member of the committee has.
        log_probs: Float (N, 10): its log-probabilities for the test images.
        labels: int64 (N,).
    """
    loss = -log_probs.gather(1, labels[:, None]).mean().item()
    fold = {} if member.fold is None else {"fold": member.fold}
    return {
        "run": name,
        "weights_sha256": member.sha256,
        "epoch": member.epoch,
        **fold,
        "val_acc": member.val_acc,
        "val_images": member.val_images,
        **test_scores(labels.numpy(), log_probs.argmax(1).numpy(), loss),
    }
