"""How a committee averages its members, and how much these disagree.

M members score N images of 10 classes. Ties between classes go to the lowest one.
"""

import math
from collections.abc import Iterable
from itertools import combinations
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE

# The number of 5-subsets of ten members: up to ten members, every subset is counted
SUBSETS = 252
# The winner's bonus from the extra ballot of a vote: small, but too large for rounding to lose
CASTING = 0.01


def combine(logits: Tensor, average: AVERAGES = DEFAULT_AVERAGE) -> Tensor:
    """Returns the committee's log-probabilities; its loss is their negative for the true class.

    Args:
        logits: Float (M, N, 10): the members' logits or log-probabilities.
        average: `probabilities`: arithmetic mean of the members' softmax. `logits`: softmax of
            their mean logits. `vote`: fraction of members that predict a class; ties go to the
            class with the highest mean probability. One extra ballot keeps the loss of a vote
            finite: all classes share it evenly, except for a hundredth that goes to the winner.

    Returns:
        Float (N, 10), at least float32; the highest class is the committee's prediction.

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
    raise ValueError(f"average={average!r} is not one of probabilities, logits, vote")


def _vote(log_probs: Tensor) -> Tensor:
    """Counts votes, (M, N, 10) -> (N, 10); ties are broken: only the winner has the most."""
    members, _, classes = log_probs.shape
    votes = F.one_hot(log_probs.argmax(2), classes).sum(0)
    behind = votes < votes.amax(1, keepdim=True)
    winner = log_probs.logsumexp(0).masked_fill(behind, -math.inf).argmax(1)
    ballot = (1 - CASTING) / classes + CASTING * F.one_hot(winner, classes).to(log_probs.dtype)
    return ((votes + ballot) / (members + 1)).log()


class SubsetErrors(NamedTuple):
    """Errors of all committees of one size."""

    mean: float
    fewest: int
    most: int


def errors_by_size(
    logits: Tensor, labels: Tensor, average: AVERAGES = DEFAULT_AVERAGE
) -> list[SubsetErrors]:
    """Counts the errors of committees of every size, made of subsets of the members.

    If there are at most 252 subsets of a size, as with ten members or fewer, all are counted;
    otherwise 252 drawn with a fixed seed, and `fewest` and `most` are those of the drawn ones.

    Args:
        logits: Float (M, N, 10): the members' logits or log-probabilities.
        labels: Int (N,): the true classes.
        average: As in `combine`.
    """
    predictions = logits.argmax(2)
    # Where all members agree, so does every subset: those images are scored once
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
    """Lists all subsets of one size, or SUBSETS of them drawn without replacement."""
    if math.comb(members, size) <= SUBSETS:
        return combinations(range(members), size)
    generator = Random(0)
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < SUBSETS:
        drawn.add(tuple(sorted(generator.sample(range(members), size))))
    return sorted(drawn)


def disagreement(predictions: Tensor) -> tuple[float, Tensor]:
    """Measures how often members disagree.

    Args:
        predictions: Int (M, N): the class that each member predicts.

    Returns:
        The fraction of images on which the members do not all agree, and float64 (M, M): the
        fraction on which each pair of members disagrees. Both are NaN if there are no images.
    """
    apart = (predictions != predictions[0]).any(0).double().mean().item()
    pairs = (predictions[:, None] != predictions).double().mean(2)
    return apart, pairs
