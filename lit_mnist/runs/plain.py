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

_VALUES = (type(None), bool, int, float, complex, str)
_VALUES_OF_TORCH = (Tensor, nn.Parameter, torch.Size, torch.device, torch.dtype)


def checked(value: Any, place: str = "") -> Any:
    """Gives a checkpoint's content with NumPy's numbers as Python's, equal in value.

    Args:
        value: The checkpoint, or a part of it.
        place: Where the part stands, such as `callbacks.EMA.decay`.

    Raises:
        UserError: It holds something else; the message names the place.
    """
    if isinstance(value, np.generic):
        return checked(value.item(), place)
    if type(value) in _VALUES or type(value) in _VALUES_OF_TORCH:
        return value
    if isinstance(value, dict):
        content: dict[Any, Any] = OrderedDict() if isinstance(value, OrderedDict) else {}
        for key, part in value.items():
            content[checked(key, f"a key of {place}")] = checked(part, _below(place, key))
        if hasattr(value, "_metadata"):  # the versions of a state_dict's modules
            content._metadata = value._metadata  # type: ignore[attr-defined] # PyTorch sets it
        return content
    if type(value) in (list, tuple, set):
        return type(value)(checked(part, _below(place, index)) for index, part in enumerate(value))
    kind_name = f"{type(value).__module__}.{type(value).__qualname__}"
    raise UserError(
        f"the checkpoint's {place} is a {kind_name}, which could not be read back without running"
        " code; let it keep tensors, numbers and text only; no checkpoint was written"
    )


def _below(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)
