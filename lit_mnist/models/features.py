"""The features that a net has found in images: what reaches its last linear layer."""

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Features:
    """Keeps the features of the images that each of M nets is shown, whatever its class.

    Args:
        nets: Which are then called as ever; each thread has features of its own.

    Attributes:
        widths: How many features each net has; empty if one has no linear layer.
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        layers = [last_linear(net) for net in nets]
        self.widths = [layer.in_features for layer in layers if layer is not None]
        if None in layers:
            self.widths = []
        self._seen = threading.local()
        self._hooks = [
            layer.register_forward_pre_hook(self._keep(place))
            for place, layer in enumerate(layers)
            if layer is not None and self.widths
        ]

    def _keep(self, place: int) -> Any:
        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self._own().setdefault(place, []).append(inputs[0].detach())

        return keep

    def _own(self) -> dict[int, list[Tensor]]:
        """Gives what this thread's images left, by the net's place."""
        if not hasattr(self._seen, "by_net"):
            self._seen.by_net = {}
        own: dict[int, list[Tensor]] = self._seen.by_net
        return own

    def taken(self, count: int) -> Tensor:
        """Gives what was seen since it was last asked.

        Args:
            count: N, the images that were shown.

        Returns:
            On the CPU, float32 (N, F): of all nets side by side. (N, 0) if a net has no linear
            layer, or did not put each image through its last one, once.
        """
        own = self._own()
        seen = [own.get(place, []) for place in range(len(self._hooks))]
        own.clear()
        whole = [torch.cat(parts) for parts in seen if parts]
        shapes = [tuple(one.shape) for one in whole]
        if not shapes or shapes != [(count, width) for width in self.widths]:
            return torch.empty(count, 0)
        return torch.cat([one.float().cpu() for one in whole], dim=1)

    def remove(self) -> None:
        """Leaves the nets as they were."""
        for hook in self._hooks:
            hook.remove()


def last_linear(net: nn.Module) -> nn.Linear | None:
    """Gives the last linear layer that a net names; None if it has none."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    return layers[-1] if layers else None
