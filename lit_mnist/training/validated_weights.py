"""Checks that weights are those that were validated."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn


class ValidatedWeights:
    """Fingerprints, by their norms, of the weights that a validation may have used.

    The weights may change around the start of a validation: a callback may average them before it,
    a hook may change them at its start, and DDP replaces the buffers of all ranks by those of rank
    0 at the first forward pass. So they are noted at each of these moments. WeightAveraging has its
    average validated, and saved in the place of the module's weights, so the average counts too.
    """

    def __init__(self) -> None:
        self.noted: list[list[list[Tensor]]] = []  # for each moment, the norms of each model

    def note(self, trainer: Trainer) -> None:
        """Records the norms of the current weights."""
        self.noted.append(_norms(trainer))

    def forget(self) -> None:
        """Drops all recorded norms."""
        self.noted = []

    def include(self, trainer: Trainer) -> bool:
        """Returns whether the current weights have been noted."""
        now = _norms(trainer)
        return any(all(_among(one, moment) for one in now) for moment in self.noted)


def _among(norms: list[Tensor], others: list[list[Tensor]]) -> bool:
    return any(len(norms) == len(one) and all(map(torch.equal, norms, one)) for one in others)


def _norms(trainer: Trainer) -> list[list[Tensor]]:
    """Computes the norms of the module's weights and of their averages."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
    averages = [
        callback._average_model.module
        for callback in callbacks
        if isinstance(callback, WeightAveraging) and callback._average_model is not None
    ]
    return [_norms_of(module) for module in (trainer.lightning_module, *averages)]


def _norms_of(module: nn.Module) -> list[Tensor]:
    """Computes the norm of each floating-point parameter and buffer; -1 for one that holds NaN."""
    everything = (*module.named_parameters(), *module.named_buffers())
    values = [value.detach() for _, value in everything if value.is_floating_point()]
    norms = torch._foreach_norm(values) if values else ()
    return [norm.nan_to_num(nan=-1.0, posinf=torch.inf) for norm in norms]  # NaN is unlike itself
