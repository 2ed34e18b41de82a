"""The one-cycle learning-rate schedule, over the steps of the run at hand."""

import warnings
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

# State of the schedule that depends on the run's length rather than on the step it has reached
_LENGTH = ("total_steps", "_schedule_phases")


class OneCycle(OneCycleLR):
    """PyTorch's `OneCycleLR`, but its length is that of the current run, not the checkpoint's.

    If a run is resumed with more epochs than it began with, it takes the rate of the current step
    in the longer cycle, so the rate rises once more. PyTorch's own schedule would raise an error at
    the end of the old cycle.

    Args:
        optimizer: The optimizer whose rate is set at each step; its beta1 (momentum) cycles
            inversely to the rate.
        max_lr: The highest rate; the cycle begins at 1/25 of it and ends at 4e-6 of it.
        total_steps: Number of optimizer steps in the whole run.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float, total_steps: int) -> None:
        super().__init__(optimizer, max_lr, total_steps=total_steps)

    def state_dict(self) -> dict[str, Any]:
        """Returns the position within the cycle, without the cycle's length."""
        return {key: value for key, value in super().state_dict().items() if key not in _LENGTH}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the position and sets the rate that this run's cycle has there."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k not in _LENGTH})
        with warnings.catch_warnings():  # that PyTorch expects get_last_lr here
            warnings.filterwarnings("ignore", "To get the last learning rate computed")
            rates = self.get_lr()  # which also sets the decay of the first moments
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates
