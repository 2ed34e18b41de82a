"""Loss and accuracy over an epoch, on any number of ranks, as metrics that Lightning can log."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torchmetrics import Metric


class Scores(NamedTuple):
    """Mean loss, in nats, and accuracy, in [0, 1], of a set of images."""

    loss: Tensor
    acc: Tensor


class RunningScores(Metric):
    """Sums losses and correct predictions over an epoch, on any number of ranks.

    torchmetrics' own classes need five times as many operations, and its MeanMetric either
    synchronises the device to look for NaN or, with `nan_strategy="disable"`, ignores the weights
    (torchmetrics 1.9). Sums are float32 whatever the dtype of the module: in bfloat16, a sum of
    losses would stop growing at a few hundred.
    """

    total: Tensor
    correct: Tensor
    count: Tensor
    finite_steps: Tensor  # batches before the sum of losses became NaN or infinite
    unanswered: Tensor  # images of which only the loss is known

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("finite_steps", torch.tensor(0), dist_reduce_fx="min")
        self.add_state("unanswered", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, logits: Tensor | None, labels: Tensor, total: Tensor) -> None:
        """Adds a batch: logits (B, 10) if known, labels (B,), and the sum of its losses."""
        # add_ in place: `+=` would also set attributes of a module, which takes longer than adding
        self.total.add_(total.detach())
        if logits is None:
            self.unanswered.add_(len(labels))
        else:
            self.correct.add_((logits.argmax(dim=1) == labels).sum())
        self.count.add_(len(labels))
        self.finite_steps.add_(self.total.isfinite())

    def compute(self) -> Scores:
        """Returns the scores since the last reset; the accuracy is NaN if it is not known."""
        return Scores(self.total / self.count, self.correct / (self.count - self.unanswered))

    def partial_sums(self) -> dict[str, Tensor]:
        """Returns this rank's sums, for a run that is resumed within the epoch."""
        return {name: getattr(self, name).clone() for name in self._defaults}

    def load(self, partial: Mapping[str, Tensor]) -> None:
        """Restores the sums that `partial_sums` gave."""
        for name, value in partial.items():
            getattr(self, name).copy_(value)

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> Self:
        super()._apply(lambda value: fn(value).to(value.dtype), exclude_state)
        return self


class Score(Metric):
    """One of the running scores as a metric, which Lightning logs, computes and resets by itself.

    Args:
        scores: The running sums.
        name: A field of `Scores`.
    """

    full_state_update = False

    def __init__(self, scores: RunningScores, name: str) -> None:
        super().__init__()
        self.scores, self.name = scores, name

    def update(self) -> None:
        """Tells torchmetrics that there is something to compute."""

    def compute(self) -> Tensor:
        """Returns the score over the images of all ranks."""
        return getattr(self.scores.compute(), self.name)

    def reset(self) -> None:
        """Resets the sums for a new epoch."""
        super().reset()
        self.scores.reset()
