"""One cycle of the learning rate over a run's own steps."""

import warnings
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

# The schedule's state that belongs to the run's length, and not to the place within it
_LENGTH = ("total_steps", "_schedule_phases")


class OneCycle(OneCycleLR):
    """PyTorch's `OneCycleLR`, whose length is that of the run that steps it, not of its checkpoint.

    A run that is resumed goes on with the rate of the step it is at. Where it is given more epochs
    than it began with, that is the rate of this step in the longer cycle: it rises once more, where
    PyTorch's own schedule would raise an error at the end of the old cycle.

    Args:
        optimizer: Whose rates to set, each step; its first moments' decay moves against them.
        max_lr: The highest rate; the cycle begins at 1/25 of it and ends at 4e-6 of it.
        total_steps: Steps of the optimizer in the whole run.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float, total_steps: int) -> None:
        super().__init__(optimizer, max_lr, total_steps=total_steps)

    def state_dict(self) -> dict[str, Any]:
        """Gives the place within the cycle, without the cycle's length."""
        return {key: value for key, value in super().state_dict().items() if key not in _LENGTH}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the place up and sets the rates that belong to it in this run's cycle."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k not in _LENGTH})
        with warnings.catch_warnings():  # PyTorch takes it for a question after the last rate
            warnings.filterwarnings("ignore", "To get the last learning rate computed")
            rates = self.get_lr()  # which also sets the decay of the first moments
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates
