"""What may go into a checkpoint: tensors and plain values, which can be read without trust.

A callback or an optimiser may keep a number of NumPy's, or an object of its own. `torch.save` would
write it, and nothing that reads with `weights_only=True` could ever read the file.
"""

from collections import OrderedDict
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
    """Gives a checkpoint's content with NumPy's numbers as Python's, equal in value.

    Args:
        value: The checkpoint, or a part of it.
        place: Where the part stands, such as `callbacks.EMA.decay`.
        depth: In how many others the part lies.

    Raises:
        UserError: It holds something else; the message names the place.
    """
    if isinstance(value, np.generic):
        return checked(value.item(), place, depth)
    if type(value) in (Tensor, nn.Parameter):
        value = _dense(value, place)
    if type(value) in _VALUES or type(value) in _VALUES_OF_TORCH:
        return value
    if depth >= safe_torch.MAX_DEPTH - 1:
        raise UserError(f"the checkpoint's {place:.99} is nested too deeply{_REMEDY}")
    if isinstance(value, dict):
        content: dict[Any, Any] = OrderedDict() if isinstance(value, OrderedDict) else {}
        for key, part in value.items():
            below = _below(place, key), depth + 1
            content[checked(key, f"a key of {place}", depth + 1)] = checked(part, *below)
        if hasattr(value, "_metadata"):  # the versions of a state_dict's modules
            content._metadata = value._metadata  # type: ignore[attr-defined] # PyTorch sets it
        return content
    if type(value) in (list, tuple, set):
        parts = enumerate(value)
        return type(value)(checked(part, _below(place, index), depth + 1) for index, part in parts)
    kind_name = f"{type(value).__module__}.{type(value).__qualname__}"
    raise UserError(
        f"the checkpoint's {place} is a {kind_name}, which could not be read back without running"
        f" code{_REMEDY}"
    )


def _dense(value: Tensor, place: str) -> Tensor:
    """Gives a tensor with all its numbers, of which an expanded one stores a part."""
    if value.layout != torch.strided or value.is_quantized:
        raise UserError(f"the checkpoint's {place} is a tensor without plain numbers{_REMEDY}")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return value.clone(memory_format=torch.contiguous_format)
    return value


def _below(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)
