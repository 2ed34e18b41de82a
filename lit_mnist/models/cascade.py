"""A committee that is asked member after member, and only while its answer could still change.

After k members, the mean of their probabilities is known. Once its highest reaches the k-th
threshold, the others are not asked. Each threshold lies just above every validation image that
would then have been answered otherwise than by all members: on those no answer changes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Outcome(NamedTuple):
    """What becomes of N images.

    Attributes:
        probabilities: Float (N, 10): the mean over the members that were asked.
        asked: int64 (N,): how many were.
    """

    probabilities: Tensor
    asked: Tensor


def thresholds(members: Tensor) -> list[float]:
    """Gives the M - 1 thresholds; one above 1 is never reached.

    Args:
        members: Float (M, N, 10): the members' probabilities of N validation images.
    """
    running = _running(members)
    final = running[-1].argmax(1)
    found = []
    for mean in running[:-1]:
        highest, answer = mean.max(1)
        other = highest[answer != final]
        least = float(other.max()) if len(other) else 0.0
        found.append(float(torch.nextafter(torch.tensor(least), torch.tensor(2.0))))
    return found


def outcome(members: Tensor, limits: Sequence[float]) -> Outcome:
    """Tells what a cascade would have answered, of members that were all asked.

    Args:
        members: Float (M, N, 10): their probabilities.
        limits: The M - 1 thresholds.
    """
    running = _running(members)
    sure = [mean.amax(1) >= limit for mean, limit in zip(running, limits, strict=False)]
    stops = torch.stack([*sure, torch.ones_like(running[-1][:, 0], dtype=torch.bool)])
    last = stops.int().argmax(0)  # the first True
    return Outcome(running[last, torch.arange(len(last))], last + 1)


def ask(
    log_probs: Sequence[Callable[[Tensor], Tensor]], images: Tensor, limits: Sequence[float]
) -> Outcome:
    """Asks members, each about the images alone of which those before were not sure.

    Args:
        log_probs: The M members: from images (B, 1, 28, 28) to log-probabilities (B, 10).
        images: Float (N, 1, 28, 28).
        limits: The M - 1 thresholds.
    """
    count = len(images)
    total = torch.zeros(count, 10, dtype=torch.float64, device=images.device)
    asked = torch.zeros(count, dtype=torch.int64, device=images.device)
    left = torch.arange(count, device=images.device)
    for number, member in enumerate(log_probs, 1):
        if not len(left):
            break
        total[left] += member(images[left]).double().exp()
        asked[left] = number
        if number <= len(limits):
            left = left[total[left].amax(1) / number < limits[number - 1]]
    return Outcome(total / asked[:, None], asked)


def _running(members: Tensor) -> Tensor:
    """Gives the means over the first 1, 2, ..., M members, float64 (M, N, 10)."""
    counts = torch.arange(1, len(members) + 1, device=members.device)
    return members.double().cumsum(0) / counts[:, None, None]
