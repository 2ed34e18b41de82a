"""Checks that weights are those that were validated."""

import torch
from lightning.pytorch import LightningModule
from torch import Tensor


class ValidatedWeights:
    """Fingerprints, by their norms, of the weights that a validation may have used.

    The weights may change around the start of a validation: a callback may average them before it,
    a hook may change them at its start, and DDP replaces the buffers of all ranks by those of rank
    0 at the first forward pass. So they are noted at each of these moments.
    """

    def __init__(self) -> None:
        self.norms: list[list[Tensor]] = []

    def note(self, module: LightningModule) -> None:
        """Records the norms of the current weights."""
        self.norms.append(_norms(module))

    def forget(self) -> None:
        """Drops all recorded norms."""
        self.norms = []

    def include(self, module: LightningModule) -> bool:
        """Returns whether the current weights have been noted."""
        now = _norms(module)
        return any(
            len(now) == len(norms) and all(map(torch.equal, now, norms)) for norms in self.norms
        )


def _norms(module: LightningModule) -> list[Tensor]:
    """Computes the norm of each floating-point parameter and buffer."""
    everything = (*module.named_parameters(), *module.named_buffers())
    values = [value.detach() for _, value in everything if value.is_floating_point()]
    return list(torch._foreach_norm(values)) if values else []
