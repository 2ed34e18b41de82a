"""Checks that a network, which may be a user's own, returns logits; in which precision."""

import torch
from torch import Tensor, nn

from lit_mnist.errors import UserError
from lit_mnist.shape import CLASSES


def checked(output: object, images: int, network: nn.Module) -> Tensor:
    """Returns a network's output if it is logits.

    Args:
        output: Output of the network.
        images: Number of input images, N.
        network: The network; the error message names its class.

    Returns:
        Float (N, 10).

    Raises:
        UserError: The output is not a float tensor of that shape.
    """
    expected = (images, CLASSES)
    if isinstance(output, Tensor) and output.is_floating_point() and output.shape == expected:
        return output
    kind = type(network)
    raise UserError(
        f"{kind.__module__}.{kind.__qualname__}: returns {_described(output)} for {images}"
        f" image{'s' if images != 1 else ''}; expected are logits, a float tensor {expected}:"
        " return only these from forward"
    )


def exact(logits: Tensor) -> Tensor:
    """Returns logits in float32 at least; those of a network in float64 stay as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _described(output: object) -> str:
    if isinstance(output, Tensor):
        return f"a tensor {tuple(output.shape)} of {str(output.dtype).removeprefix('torch.')}"
    if isinstance(output, dict):
        return f"a dict of {', '.join(map(str, output)) or 'nothing':.99}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {len(output)}"
    return "None" if output is None else f"an object of class {type(output).__name__}"
