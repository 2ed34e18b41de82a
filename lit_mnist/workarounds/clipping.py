"""Clipping gradients where there are none."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch.plugins import Precision

from lit_mnist.machine.patching import replaced


def none_to_clip() -> AbstractContextManager[None]:
    """Clips no gradients by value where there are none, as by norm.

    PyTorch then fails (torch/nn/utils/clip_grad.py, `clip_grad_value_`). StochasticWeightAveraging
    ends a net with batch norm by an epoch without gradients.
    """
    clip = Precision.clip_grad_by_value

    @functools.wraps(clip)
    def by_value(self: Precision, optimizer: Any, clip_val: float) -> None:
        if any(weights.grad is not None for weights in self.main_params(optimizer)):
            clip(self, optimizer, clip_val)

    return replaced((Precision, "clip_grad_by_value", by_value))
