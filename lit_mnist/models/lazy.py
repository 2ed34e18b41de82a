"""Sizes lazy layers, such as `nn.LazyLinear`, before anything asks for their weights.

They take their sizes from the first batch, which Lightning passes only once it has made the
optimizers and loaded a checkpoint.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from lit_mnist.errors import UserError
from lit_mnist.runs.weights import has_own_hook, makes_layers_late
from lit_mnist.shape import SIDE_PX

if TYPE_CHECKING:
    from lit_mnist.models.scoring import ScoredModule


def unsized(module: nn.Module) -> str:
    """Returns the name of a weight or buffer that has no size yet; empty if all have."""
    both = (*module.named_parameters(), *module.named_buffers())
    return next((name for name, value in both if is_lazy(value)), "")


def complete(module: "ScoredModule", trainer: Any = None) -> None:
    """Has a module make its layers, and sizes lazy ones by a pass of two blank images.

    Only their initial weights draw random numbers, as those of any other layer do.

    Args:
        module: The module.
        trainer: The trainer that its `configure_model` may ask; None if there is none.

    Raises:
        UserError: No size results; names the layer.
    """
    if has_own_hook(module, "configure_model"):
        _configure(module, trainer)
    if not unsized(module):
        return
    modes = {part: part.training for part in module.modules()}
    why = ""
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(2, 1, SIDE_PX, SIDE_PX))
    except Exception as error:  # a user's module may raise anything
        why = f"{type(error).__name__}: {' '.join(str(error).split()):.200}"
    finally:
        for part, mode in modes.items():
            part.training = mode
    name = unsized(module)
    if not name:
        module.lay_out()
    elif not makes_layers_late(module):  # whose `setup` may be what its forward lacks
        raise UserError(
            f"--model {type(module).__module__}.{type(module).__qualname__}: its layer"
            f" {name.rpartition('.')[0]} is lazy, and a blank image does not give it a size"
            f" ({why or 'forward does not use it'}); pass one through it in __init__"
        )


def _configure(module: "ScoredModule", trainer: Any) -> None:
    """Calls `configure_model` in the place of Lightning, as it may make new layers at each call."""
    module.trainer = trainer
    try:
        module.configure_model()
    finally:
        module.trainer = None
    module.configure_model = _done  # type: ignore[method-assign] # which Lightning calls


def _done() -> None:
    """Does nothing."""
