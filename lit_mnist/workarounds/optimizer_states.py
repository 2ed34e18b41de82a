"""Optimizers' states in the precision in which they were saved."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from lit_mnist.machine.patching import replaced

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
