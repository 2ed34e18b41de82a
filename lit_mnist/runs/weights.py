"""A checkpoint's weights and its modules' extra state: shapes and finiteness."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from lit_mnist.runs import copies

# PyTorch's suffix of the key under which a module's `get_extra_state` is saved
_EXTRA = "_extra_state"


def is_extra(name: str) -> bool:
    """Returns whether a key of a state_dict belongs to a module's `get_extra_state`."""
    return name.rpartition(".")[2] == _EXTRA


def shapes(weights: dict[str, Any]) -> dict[str, tuple[bool | int, ...]]:
    """Returns for each weight, by name, whether it is float, whether it is complex, and its shape.

    Extra state may change its shape, so it has an empty entry, as has what has no shape yet.
    """
    return {
        name: ()
        if is_extra(name) or is_lazy(value)
        else (value.is_floating_point(), value.is_complex(), *value.shape)
        for name, value in weights.items()
    }


def misfit(weights: dict[str, Any], model: nn.Module, checkpoint: Mapping[str, Any]) -> str:
    """Returns how weights are not those of a model, as Lightning loads them; empty if they are.

    A module may leave some out of its checkpoints, such as those of a frozen layer: it sets
    `strict_loading` to False, or adds them again in its `on_load_checkpoint`.

    Args:
        weights: Of a checkpoint, by name.
        model: The model, which is left unchanged.
        checkpoint: The checkpoint, for the model's hook.
    """
    if shapes(weights) != shapes(model.state_dict()) and has_own_hook(model, "on_load_checkpoint"):
        given = {**checkpoint, "state_dict": dict(weights)}
        with suppress(Exception):  # whatever a user's module may raise; Lightning calls it again
            copies.deep(model).on_load_checkpoint(given)  # type: ignore[operator] # a module's
        weights = given["state_dict"]
    found, made = shapes(weights), shapes(model.state_dict())
    if getattr(model, "strict_loading", True):
        if added := sorted(found.keys() - made.keys()):
            return f"{added[0]:.99} is not in it, when __init__ and configure_model have built it"
        if missing := sorted(made.keys() - found.keys()):
            return f"{missing[0]:.99} is missing"
    other = sorted(name for name in found.keys() & made.keys() if found[name] != made[name])
    return f"{other[0]:.99} is of another shape or type" if other else ""


def makes_layers_late(model: nn.Module) -> bool:
    """Returns whether a user's module overrides `setup`, which may create layers.

    Lightning calls it before it loads a checkpoint, and then checks that the weights fit.
    """
    return has_own_hook(model, "setup")


def has_own_hook(model: nn.Module, hook: str) -> bool:
    """Returns whether a user's module, or one that it is derived from, has a hook of its own."""
    return any(
        hook in vars(kind)
        for kind in type(model).__mro__
        if kind.__module__.partition(".")[0] not in ("lightning", "lit_mnist")
    )


def infinite(weights: dict[str, Any], model: nn.Module) -> str:
    """Describes a parameter or a batch norm's statistic that is not finite; empty if none.

    Other buffers are not checked: a mask may be infinite, and what is not known yet may be NaN.
    """
    statistics = (
        f"{name}.{one}" if name else one
        for name, part in model.named_modules()
        if isinstance(part, _NormBase)
        for one in ("running_mean", "running_var")
    )
    found = (
        name
        for name in (*(name for name, _ in model.named_parameters()), *statistics)
        if name in weights and not weights[name].isfinite().all()
    )
    return next(map(not_finite, found), "")


def not_finite(name: str) -> str:
    """Returns the message that a weight is not finite."""
    return f"the weights {name:.99} are not all finite numbers"
