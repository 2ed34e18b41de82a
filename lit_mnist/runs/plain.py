"""Checks what goes into a checkpoint: tensors and plain values, which can be loaded safely.

A callback or an optimiser may hold NumPy numbers, or objects of its own. `torch.save` would write
them, but `weights_only=True` could never load the file again.
"""

from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lit_mnist.errors import UserError
from lit_mnist.runs import safe_torch

_VALUES = (type(None), bool, int, float, complex, str)
_VALUES_OF_TORCH = (Tensor, nn.Parameter, torch.Size, torch.device, torch.dtype)
_REMEDY = "; let it keep tensors, numbers and text only; no checkpoint was written"


def checked(value: Any, place: str = "", depth: int = 0) -> Any:
    """Converts NumPy numbers to equal Python numbers, brings tensors to the CPU, checks the rest.

    Args:
        value: The checkpoint, or a part of it.
        place: Path of the part, such as `callbacks.EMA.decay`.
        depth: Nesting depth of the part.

    Raises:
        UserError: It holds another kind of object; the message names its path.
    """
    if isinstance(value, np.generic) and type(value.item()) in _VALUES:  # not a longdouble's
        return value.item()
    if type(value) in (Tensor, nn.Parameter):
        # so that it loads on machines without that device
        value = _bare(_whole(value, place)).cpu().resolve_conj().resolve_neg()
    if type(value) in _VALUES or type(value) in _VALUES_OF_TORCH:
        return value
    if depth >= safe_torch.MAX_DEPTH - 1:
        raise UserError(f"the checkpoint's {place:.99} is nested too deeply{_REMEDY}")
    if isinstance(value, dict):
        return _dict(value, place, depth + 1)
    if type(value) in (list, tuple, set):
        parts = enumerate(value)
        return type(value)(checked(part, _below(place, index), depth + 1) for index, part in parts)
    kind_name = f"{type(value).__module__}.{type(value).__qualname__}"
    raise UserError(
        f"the checkpoint's {place} is a {kind_name}, which cannot be loaded without executing"
        f" code{_REMEDY}"
    )


def _dict(value: dict[Any, Any], place: str, depth: int) -> dict[Any, Any]:
    """Checks keys and values; returns a dict of the nearest class that a checkpoint may hold."""
    kinds: tuple[type[dict[Any, Any]], ...] = (OrderedDict, Counter, dict)
    content = next(kind() for kind in kinds if isinstance(value, kind))
    for key, part in value.items():
        content[checked(key, f"a key of {place}", depth)] = checked(part, _below(place, key), depth)
    if hasattr(value, "_metadata"):  # the versions of a state_dict's modules
        content._metadata = value._metadata  # type: ignore[attr-defined] # PyTorch sets it
    return content


def _whole(value: Tensor, place: str) -> Tensor:
    """Copies an expanded tensor, which stores only part of its values, to a full one."""
    if value.layout != torch.strided or value.is_nested or value.is_quantized or value.is_meta:
        raise UserError(f"the checkpoint's {place} is a tensor without plain numbers{_REMEDY}")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return value.clone(memory_format=torch.contiguous_format)
    return value


def _bare(value: Tensor) -> Tensor:
    """Returns a tensor without the attributes that were set on it, as nn.Buffer does."""
    if not vars(value):
        return value
    bare = value.detach().requires_grad_(value.requires_grad)
    return nn.Parameter(bare, value.requires_grad) if isinstance(value, nn.Parameter) else bare


def _below(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)
