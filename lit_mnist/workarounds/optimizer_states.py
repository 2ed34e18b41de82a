"""Optimizers' states: in the precision in which they were saved, and of the same weights."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch.strategies import Strategy
from torch import Tensor
from torch.optim import Optimizer

from lit_mnist.machine.patching import replaced
from lit_mnist.runs import known_states

_CAST = "_process_value_according_to_param_policy"


def whole_counts() -> AbstractContextManager[None]:
    """Loads single numbers of an optimizer's state, such as NAdam's product, as they were saved.

    PyTorch casts them to the type of the weights, as it does moments: in bfloat16 they lose digits,
    and a resumed run takes other steps (torch/optim/optimizer.py, `load_state_dict`).
    """
    cast: Any = getattr(Optimizer, _CAST)

    @functools.wraps(cast)
    def unless_single(
        param: Tensor, value: Tensor, place: int, groups: Any, key: str | None = None
    ) -> Tensor:
        found: Tensor = cast(param, value, place, groups, key)
        of_weights = value.dim() > 0 or param.dim() == 0
        return found if of_weights or key == "step" else value.to(found.device)

    return replaced((Optimizer, _CAST, staticmethod(unless_single)))


def of_these_weights() -> AbstractContextManager[None]:
    """Refuses an optimizer's state of weights of other shapes, when it is loaded.

    PyTorch compares only how many weights there are (torch/optim/optimizer.py, `load_state_dict`),
    and fused Adam then reads and writes out of bounds. Before, nobody knows what a user's hooks
    have frozen when the optimizer is made. Strategies that shard have their own way to load.
    """
    load = Strategy.load_optimizer_state_dict

    @functools.wraps(load)
    def compared(strategy: Strategy, checkpoint: Any) -> None:
        load(strategy, checkpoint)
        for optimizer in strategy.optimizers:
            if wrong := known_states.misshapen(optimizer):
                raise ValueError(f"it is of other weights: {type(optimizer).__name__}'s {wrong}")

    return replaced((Strategy, "load_optimizer_state_dict", compared))
