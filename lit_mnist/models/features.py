"""The features of images: the input of a net's last linear layer."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


class Features:
    """Captures the features of images as M nets, of any class, are run on them.

    If a net reads shifted copies of an image (see `shifts`), the features are those of its last
    reading, which is of the image itself. A copy, also a pickled one, goes with the copied nets.

    Args:
        nets: The nets, which are called as usual; each thread has its own features. What
            torch.compile has compiled in place runs uncompiled until `remove`, as compiled nets
            do not notice new hooks (torch._dynamo.config.skip_nnmodule_hook_guards).

    Attributes:
        widths: Number of features of each net; empty if one has no linear layer.
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        layers = [last_linear(net) for net in nets]
        self.widths = [layer.in_features for layer in layers if layer is not None]
        if None in layers:
            self.widths = []
        self._seen = threading.local()
        self._hooks = []
        parts = [part for net in nets for part in net.modules() if part._compiled_call_impl]
        self._compiled = [(part, part._compiled_call_impl) for part in parts]
        for part in parts:
            part._compiled_call_impl = None
        for place, (net, layer) in enumerate(zip(nets, layers, strict=True)):
            if layer is not None and self.widths:
                forget, notice, keep = (
                    partial(hook, place) for hook in (self._forget, self._notice, self._keep)
                )
                self._hooks.append(net.register_forward_pre_hook(forget))
                self._hooks.append(layer.register_forward_pre_hook(notice))
                self._hooks.append(net.register_forward_hook(keep))

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what threads have captured, which cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name != "_seen"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Starts with nothing captured."""
        vars(self).update(state)
        self._seen = threading.local()

    def _forget(self, place: int, *_: Any) -> None:
        """Drops what the last layer has read outside of the net's forward: of other images."""
        self._captured("latest").pop(place, None)

    def _notice(self, place: int, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._captured("latest")[place] = inputs[0].detach()

    def _keep(self, place: int, _: nn.Module, inputs: tuple[Tensor, ...], __: Any) -> None:
        latest = self._captured("latest").pop(place, None)
        if latest is not None and inputs and latest.shape[:1] == inputs[0].shape[:1]:
            self._captured("kept").setdefault(place, []).append(latest.float().cpu())

    def _captured(self, stage: str) -> dict[int, Any]:
        """Returns what was captured in this thread, by the net's position."""
        captured: dict[int, Any] = self._seen.__dict__.setdefault(stage, {})
        return captured

    def clear(self) -> None:
        """Drops what this thread has captured: an error may have left a part of a call."""
        self._captured("kept").clear()

    def take(self, count: int, by: Tensor | None = None) -> Tensor:
        """Returns and clears the features captured since the last call.

        Args:
            count: N, the number of images that the nets were run on.
            by: bool (N, M): which nets were run on which images; None: all.

        Returns:
            Float32 (N, F), on the CPU: features of the nets that were run on the image,
            concatenated. (N, 0) if a net has no linear layer, did not pass each image through its
            last one, or if images would differ in their number of features.
        """
        kept = dict(self._captured("kept"))
        self.clear()
        if by is None:
            by = torch.ones(count, len(self.widths), dtype=torch.bool)
        widths = torch.tensor(self.widths, dtype=torch.int64)
        sums = (by * widths).sum(dim=1)
        if not self.widths or not count or int(sums.min()) != int(sums.max()):
            return torch.empty(count, 0)
        # whatever default the caller has set
        features = torch.empty(count, int(sums[0]), dtype=torch.float32)
        for place, width in enumerate(self.widths):
            rows = by[:, place].nonzero().squeeze(1)
            seen = torch.cat([features.new_empty(0, width), *kept.get(place, [])])
            if seen.shape != (len(rows), width):
                return torch.empty(count, 0)
            if len(rows):
                first = int((by[rows[0], :place] * widths[:place]).sum())
                features[rows, first : first + width] = seen
        return features

    def remove(self) -> None:
        """Removes the hooks from the nets, which run compiled again if they were."""
        for hook in self._hooks:
            hook.remove()
        for part, compiled in self._compiled:
            part._compiled_call_impl = compiled


def last_linear(net: nn.Module) -> nn.Linear | None:
    """Returns a net's last linear layer; None if it has none."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    return layers[-1] if layers else None
