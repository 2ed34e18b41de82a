"""Tells whether weights are those that were validated."""

import torch
from lightning.pytorch import LightningModule
from torch import Tensor


class ValidatedWeights:
    """The norms of a module's weights, at each moment at which they may be those of a validation.

    Any of these moments may be the one: a callback may average the weights before a validation, a
    hook may change them at its start, and at its first forward pass DDP replaces the buffers of all
    ranks by those of rank 0.
    """

    def __init__(self) -> None:
        self.norms: list[list[Tensor]] = []

    def note(self, module: LightningModule) -> None:
        """Notes the weights as they are."""
        self.norms.append(_norms(module))

    def forget(self) -> None:
        """Forgets all that were noted."""
        self.norms = []

    def include(self, module: LightningModule) -> bool:
        """Tells whether the weights are now as they were noted once."""
        now = _norms(module)
        return any(
            len(now) == len(norms) and all(map(torch.equal, now, norms)) for norms in self.norms
        )


def _norms(module: LightningModule) -> list[Tensor]:
    """Gives the norm of each weight and buffer."""
    everything = (*module.named_parameters(), *module.named_buffers())
    values = [value.detach() for _, value in everything if value.is_floating_point()]
    return list(torch._foreach_norm(values)) if values else []
