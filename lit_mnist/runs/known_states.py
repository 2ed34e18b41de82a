"""The structure of the states of PyTorch's optimizers and schedules, and of ours.

A user's own class may keep anything in its state, which may also grow or become infinite.
"""

from typing import Any

import torch
from torch import Tensor
from torch.optim import LBFGS, Adafactor, Adam, Optimizer

# Values of a state that are single numbers, whatever the shape of the weights
_NUMBERS = {"step", "mu_product", "eta", "mu"}
# Their states have other shapes: those of rows and columns, or of all weights in one
_OF_OTHER_SHAPES = (LBFGS, Adafactor)


def is_known(made: Any) -> bool:
    """Whether an optimizer or a schedule is PyTorch's or ours; a user's may change its state."""
    return type(made).__module__.partition(".")[0] in ("torch", "lit_mnist")


def of_groups(optimizer: Optimizer) -> dict[str, Any] | None:
    """Returns the structure of an optimizer's groups of weights; of a user's, only its weights.

    None if a user's own state has no such groups.
    """
    state: Any = optimizer.state_dict()
    groups = state.get("param_groups") if isinstance(state, dict) else None
    if groups is None:
        return None
    known = groups if is_known(optimizer) else [{"params": one["params"]} for one in groups]
    return {"param_groups": known}


def of_schedule(schedule: Any) -> dict[str, Any] | None:
    """Returns the structure of a schedule's state; None of a user's, which may keep anything."""
    if not is_known(schedule):
        return None
    parts = [of_schedule(one) for one in getattr(schedule, "_schedulers", ())]
    functions = [None for _ in getattr(schedule, "lr_lambdas", ())]
    state, of_users = schedule.state_dict(), {"_schedulers": parts, "lr_lambdas": functions}
    return state | {key: value for key, value in of_users.items() if key in state}


def of_moments(optimizer: Optimizer, group: dict[str, Any], weights: Tensor) -> dict[str, Tensor]:
    """Returns the structure of Adam's state of a weight, which its kernels do not check."""
    if not isinstance(optimizer, Adam):
        return {}
    names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group.get("amsgrad") else [])]
    return {"step": torch.zeros(())} | dict.fromkeys(names, weights.detach())


def misshapen(optimizer: Optimizer) -> str:
    """Names what an optimizer holds of a weight in another shape than the weight's; empty if none.

    Of a user's Adam, only what its kernels use.
    """
    known = is_known(optimizer) and not isinstance(optimizer, _OF_OTHER_SHAPES)
    for group in optimizer.param_groups:
        for weights in group["params"]:
            state = optimizer.state.get(weights, {})
            names = state if known else of_moments(optimizer, group, weights)
            for name in sorted(names.keys() - _NUMBERS):
                value = state.get(name)
                if isinstance(value, Tensor) and value.shape != weights.shape:
                    before, now = tuple(value.shape), tuple(weights.shape)
                    return f"{name} has shape {before}, its weights {now}"
    return ""
