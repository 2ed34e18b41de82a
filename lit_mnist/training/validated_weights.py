"""Checks that weights are those that were validated."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from lit_mnist import trainers
from lit_mnist.machine.patching import overrides
from lit_mnist.models.evaluation_hooks import STARTS


class OtherWeightsError(Exception):
    """A checkpoint does not hold the weights that were validated; names one."""


class ValidatedWeights:
    """Fingerprints, by their norms, of the weights that the last validation has used.

    They are taken in the validation itself, as a callback or the module may put others in place
    before it, and DDP's first forward pass replaces the buffers of all ranks by those of rank 0.
    They are compared with what a checkpoint holds: WeightAveraging has its average validated, and
    saved in the place of the module's weights.
    """

    def __init__(self) -> None:
        self.noted: dict[str, Tensor] = {}  # the norms, by name

    def note(self, trainer: Trainer) -> None:
        """Records the norms of the weights in use."""
        self.noted = norms(trainer.lightning_module)

    def note_saved(self, trainer: Trainer) -> None:
        """Records the norms of what a checkpoint holds, which was validated before a resume."""
        self.noted = norms(_saved(trainer))

    def changed(self, trainer: Trainer) -> str:
        """Names a weight that is not saved as it was validated; empty if all are."""
        # an average may be kept, and saved, in another precision than the one that is validated
        now = norms(_saved(trainer), {name: norm.dtype for name, norm in self.noted.items()})
        others = [name for name, norm in now.items() if not same(norm, self.noted.get(name))]
        if others and _swaps(trainer):  # among its own weights, it does so at each validation
            before, after = (sorted(map(float, one.values())) for one in (self.noted, now))
            others = others if before != after else []
        return others[0] if others else ""

    def changed_by_hooks(self, trainer: Trainer, weights: Mapping[str, Any]) -> str:
        """Names a weight that hooks have put into a checkpoint otherwise than it was validated.

        What has another name in a checkpoint, or is not in it, is not compared.

        Args:
            trainer: The trainer.
            weights: The checkpoint's state_dict, after all hooks.

        Returns:
            The name; empty if there is none, or if the module itself swaps its weights.
        """
        for name, noted in () if _swaps(trainer) else self.noted.items():
            value = weights.get(name)
            if isinstance(value, Tensor) and _has_norm(value):
                (norm,) = _norms([value.detach()])
                rounding = 1e-5 if norm.dtype == noted.dtype else 2e-2  # of half precision
                if not math.isclose(float(norm), float(noted), rel_tol=rounding):
                    return name
        return ""


def _swaps(trainer: Trainer) -> bool:
    """Whether the module may swap its weights with an average of its own for a validation."""
    module = trainer.lightning_module
    return any(overrides(module, LightningModule, f"on_validation_{start}") for start in STARTS)


def remedy(trainer: Trainer) -> str:
    """Says how to average weights so that the average that is validated can be saved.

    Args:
        trainer: A trainer at the end of an epoch, whose weights have changed after the validation.
    """
    averages = trainers.callbacks_of(trainer, WeightAveraging)
    late = [one for one in averages if one._latest_update_epoch == trainer.current_epoch]
    if not late:
        return "average weights by WeightAveraging, and keep a record in a metric or an attribute"
    return (
        f"{type(late[0]).__name__} updates its average after the validation if it does so by epoch,"
        " but before it by step (update_starting_at_step)"
    )


def same(norm: Tensor | None, other: Tensor | None) -> bool:
    """Whether two norms are known and equal."""
    return norm is not None and other is not None and torch.equal(norm, other)


def _saved(trainer: Trainer) -> nn.Module:
    """Returns whose weights a checkpoint holds."""
    averages = [
        callback._average_model.module
        for callback in trainers.callbacks_of(trainer, WeightAveraging)
        if callback._average_model is not None
    ]
    return (trainer.lightning_module, *averages)[-1]


def norms(
    module: nn.Module, types: Mapping[str, torch.dtype] = MappingProxyType({})
) -> dict[str, Tensor]:
    """Computes the norm of each real or complex parameter and buffer; -1 for one that holds NaN.

    Buffers that no checkpoint has, such as a cache that each forward writes, are left out.

    Args:
        module: Whose weights these are.
        types: The real types in which some are computed, by their names.
    """
    both, unsaved = (*module.named_parameters(), *module.named_buffers()), _unsaved(module)
    values = {
        name: value.detach() for name, value in both if _has_norm(value) and name not in unsaved
    }
    for name in values.keys() & types.keys():
        is_complex, real = values[name].is_complex(), types[name]
        values[name] = values[name].to(real.to_complex() if is_complex else real)
    return dict(zip(values, _norms([*values.values()]), strict=True))


def _has_norm(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex()


def _unsaved(module: nn.Module) -> set[str]:
    """Returns the names of the buffers that no checkpoint has."""
    return {
        f"{prefix}.{name}".removeprefix(".")
        for prefix, part in module.named_modules()
        for name in part._non_persistent_buffers_set
    }


def _norms(values: list[Tensor]) -> list[Tensor]:
    # PyTorch has no norm of floats of 8 bits
    wide = [value.float() if value.itemsize == 1 else value for value in values]
    norms = torch._foreach_norm(wide) if wide else []
    # as NaN is unlike itself
    return [norm.nan_to_num(nan=-1.0, posinf=torch.inf) for norm in norms]
