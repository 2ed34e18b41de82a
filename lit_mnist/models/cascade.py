"""A cascade: a committee that runs its members one after another until it is sure enough.

After k members, if the highest of their mean probabilities reaches the k-th threshold, the other
members are not run. Each threshold lies just above the most confident validation image that k
members classify differently from the whole committee, so on validation no prediction changes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lit_mnist.shape import CLASSES


class Outcome(NamedTuple):
    """A cascade's predictions for N images.

    Attributes:
        probabilities: Float (N, 10): mean over the members that were used.
        used: int64 (N,): number of members that were used.
    """

    probabilities: Tensor
    used: Tensor


def thresholds(members: Tensor) -> list[float]:
    """Computes the M - 1 thresholds; one above 1 is never reached.

    Args:
        members: Float (M, N, 10): the members' probabilities for N validation images.
    """
    running = _running(members)
    final = running[-1].argmax(1)
    limits = []
    for mean in running[:-1]:
        highest, answer = mean.max(1)
        wrong = highest[answer != final]
        highest_wrong = float(wrong.max()) if len(wrong) else 0.0
        limits.append(float(torch.nextafter(torch.tensor(highest_wrong), torch.tensor(2.0))))
    return limits


def outcome(members: Tensor, limits: Sequence[float]) -> Outcome:
    """Computes what a cascade would have predicted, given the predictions of all members.

    Args:
        members: Float (M, N, 10): the members' probabilities.
        limits: The M - 1 thresholds.
    """
    running = _running(members)
    sure = [mean.amax(1) >= limit for mean, limit in zip(running, limits, strict=False)]
    stops = torch.stack([*sure, torch.ones_like(running[-1][:, 0], dtype=torch.bool)])
    last = stops.int().argmax(0)  # the first True
    return Outcome(running[last, torch.arange(len(last))], last + 1)


def run(
    log_probs: Sequence[Callable[[Tensor], Tensor]], images: Tensor, limits: Sequence[float]
) -> Outcome:
    """Runs the cascade: each member sees only the images that those before it were not sure of.

    Args:
        log_probs: The M members, each from images (B, 1, 28, 28) to log-probabilities (B, 10).
        images: Float (N, 1, 28, 28).
        limits: The M - 1 thresholds.

    Returns:
        What is found, on the CPU: Apple's GPUs have no float64, and each member's answers decide
        there what the next one sees.
    """
    count = len(images)
    total = torch.zeros(count, CLASSES, dtype=torch.float64)
    used = torch.zeros(count, dtype=torch.int64)
    pending = torch.arange(count)
    for number, member in enumerate(log_probs, 1):
        if not len(pending):
            break
        total[pending] += member(images[pending.to(images.device)]).cpu().double().exp()
        used[pending] = number
        if number <= len(limits):
            pending = pending[total[pending].amax(1) / number < limits[number - 1]]
    return Outcome(total / used[:, None], used)


def _running(members: Tensor) -> Tensor:
    """Returns the running means over the first 1, 2, ..., M members, float64 (M, N, 10)."""
    counts = torch.arange(1, len(members) + 1, device=members.device)
    return members.double().cumsum(0) / counts[:, None, None]
