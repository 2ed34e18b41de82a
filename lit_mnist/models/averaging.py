"""A committee's arithmetic: what several networks say together, and how much they differ.

M members score N images of 10 classes. Where classes are equal, the lowest is taken.
"""

import math
from collections.abc import Iterable
from itertools import combinations
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_mnist.models.averages import AVERAGES

# As many as ten members have of five, so that of ten or fewer every subset is taken
SUBSETS = 252
# The winner's extra part of a vote's shared ballot: small, but too large for rounding to lose
CASTING = 0.01


def combine(logits: Tensor, average: AVERAGES = "probabilities") -> Tensor:
    """Gives the committee's log-probabilities; that of the true class, negated, is its loss.

    Args:
        logits: Float (M, N, 10); log-probabilities serve as well.
        average: `probabilities` is the arithmetic mean of the members' softmax, `logits` the
            softmax of their mean logits, and `vote` the share of members that put a class first.
            A vote's ties go to the class with the highest mean probability. So that no loss of a
            vote is infinite, one ballot more than there are members is counted: the classes share
            it evenly, but for a hundredth of it, which goes to the winner.

    Returns:
        Float (N, 10), at least float32; the class with the highest is the committee's prediction.

    Raises:
        ValueError: `average` is none of the three.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if average == "logits":
        return logits.mean(0).log_softmax(1)
    log_probs = logits.log_softmax(2)
    if average == "probabilities":
        return log_probs.logsumexp(0) - math.log(len(logits))
    if average == "vote":
        return _vote(log_probs)
    raise ValueError(f"average={average!r} is none of probabilities, logits, vote")


def _vote(log_probs: Tensor) -> Tensor:
    """Counts votes, (M, N, 10) -> (N, 10); the winner alone has the most."""
    members, _, classes = log_probs.shape
    votes = F.one_hot(log_probs.argmax(2), classes).sum(0)
    behind = votes < votes.amax(1, keepdim=True)
    winner = log_probs.logsumexp(0).masked_fill(behind, -math.inf).argmax(1)
    ballot = (1 - CASTING) / classes + CASTING * F.one_hot(winner, classes).to(log_probs.dtype)
    return ((votes + ballot) / (members + 1)).log()


class SubsetErrors(NamedTuple):
    """The errors of all committees of one size."""

    mean: float
    fewest: int
    most: int


def errors_by_size(
    logits: Tensor, labels: Tensor, average: AVERAGES = "probabilities"
) -> list[SubsetErrors]:
    """Counts the errors of the subsets of 1, 2, ..., M members, each a committee of its own.

    Takes every subset where there are at most 252 of a size, as there are for ten members or fewer;
    otherwise 252 that are drawn with a fixed seed, so that `fewest` and `most` are theirs alone.

    Args:
        logits: Float (M, N, 10); log-probabilities serve as well.
        labels: Int (N,): the true classes.
        average: As in `combine`.
    """
    predictions = logits.argmax(2)
    # Where all members agree, so does each subset: those images are counted once
    disputed = (predictions != predictions[0]).any(0)
    shared = int((predictions[0] != labels)[~disputed].sum())
    logits, labels = logits[:, disputed], labels[disputed]
    sizes = []
    for size in range(1, len(logits) + 1):
        errors = [
            shared + int((combine(logits[list(chosen)], average).argmax(1) != labels).sum())
            for chosen in _subsets(len(logits), size)
        ]
        sizes.append(SubsetErrors(sum(errors) / len(errors), min(errors), max(errors)))
    return sizes


def _subsets(members: int, size: int) -> Iterable[tuple[int, ...]]:
    """Gives all subsets of one size, or SUBSETS different ones of them."""
    if math.comb(members, size) <= SUBSETS:
        return combinations(range(members), size)
    generator = Random(0)
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < SUBSETS:
        drawn.add(tuple(sorted(generator.sample(range(members), size))))
    return sorted(drawn)


def disagreement(predictions: Tensor) -> tuple[float, Tensor]:
    """Tells how often members differ.

    Args:
        predictions: Int (M, N): the class that each member puts first.

    Returns:
        The share of images on which not all members agree, and float64 (M, M): the share on which
        two members differ. Both are NaN without images.
    """
    apart = (predictions != predictions[0]).any(0).double().mean().item()
    pairs = (predictions[:, None] != predictions).double().mean(2)
    return apart, pairs
