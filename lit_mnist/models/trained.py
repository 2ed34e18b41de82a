"""Loads a checkpoint's network: one of ours without Lightning, any other with it.

Lightning takes seconds to import and is needed for training only.
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_mnist.errors import UserError
from lit_mnist.models.conv_net import ConvNet
from lit_mnist.models.nets import DeepConv, Dense, SimpleConv
from lit_mnist.runs import checkpoints
from lit_mnist.runs.weights import shapes

OURS = "lit_mnist"
_REBUILDING = threading.RLock()  # warning filters and generators are shared by all threads
# The hyperparameters of their modules that affect prediction; all others affect only training
OF_READING = ("shifts",)
NETS: dict[str, type[nn.Module]] = {
    "DenseModule": Dense,
    "SimpleConvModule": SimpleConv,
    "DeepConvModule": DeepConv,
    "ConvNetModule": ConvNet,
}
SIZES = ("widths", "kernels", "strided", "hidden")  # hyperparameters that a ConvNet is built from


def network(checkpoint: dict[str, Any], path: Path, classes: Sequence[type] = ()) -> nn.Module:
    """Returns a network that maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10).

    Draws no random numbers.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        path: Its file, for error messages.
        classes: Classes that the user names.

    Returns:
        The network on the CPU, in eval mode, in float32 unless a user's class says otherwise.

    Raises:
        UserError: Its class is unknown or does not accept the file's hyperparameters or weights.
    """
    net = _ours(checkpoint, path)
    if net is None:
        from lit_mnist.models.rebuild import rebuild  # Lightning

        with _REBUILDING:
            net = rebuild(checkpoint, path, classes)
    return net.eval()


def listed(classes: type | Sequence[type] | None) -> list[type]:
    """Returns the class, or classes, that the user gives.

    Raises:
        UserError: One is none, such as the name of one: nothing is imported for a name.
    """
    several = isinstance(classes, Iterable) and not isinstance(classes, (type, str))
    given: Any = classes if several else [] if classes is None else [classes]
    for one in given:
        if not isinstance(one, type):
            raise UserError(f"classes: {one!a:.99} is no class; import it, and give that")
    return list(given)


def _ours(checkpoint: dict[str, Any], path: Path) -> nn.Module | None:
    """Returns one of `NETS` with its weights; None if the checkpoint does not exactly fit one."""
    root, _, name = checkpoints.class_name(checkpoint).partition(".")
    kind = NETS.get(name.rpartition(".")[2]) if root == OURS else None
    options = checkpoint.get("hyper_parameters", {})
    if kind is None or any(options.get(name) for name in OF_READING):
        return None
    sizes = {name: options[name] for name in SIZES if name in options}
    try:
        with torch.device("meta"):  # neither memory nor random numbers, whatever the file says
            module = nn.ModuleDict({"net": kind(**sizes)})
    except (UserError, TypeError, ValueError, RuntimeError):
        return None
    weights = checkpoint["state_dict"]
    if shapes(weights) != shapes(module.state_dict()):
        return None
    checkpoints.check_fits(checkpoint, module, path)
    module.load_state_dict({name: _copy(value) for name, value in weights.items()}, assign=True)
    if options.get("channels_last") is True:
        module.to(memory_format=torch.channels_last)
    return module["net"]


def _copy(value: Tensor) -> Tensor:
    """Copies weights to memory of their own: kernels, and so the last bit, go by its alignment."""
    exact = value.float() if value.is_floating_point() else value
    return exact.clone(memory_format=torch.contiguous_format)
