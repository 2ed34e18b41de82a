"""Checks that weights are those that were validated."""

from collections.abc import Iterable, Mapping
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
    """A copy of the weights that the last validation has used.

    It is taken in the validation itself, as a callback or the module may put others in place
    before it, and DDP's first forward pass replaces the buffers of all ranks by those of rank 0.
    It is compared with what a checkpoint holds: WeightAveraging has its average validated, and
    saved in the place of the module's weights. Norms or sums would not do: a sparse net's mask that
    is rewired keeps them.
    """

    def __init__(self) -> None:
        self.noted: dict[str, Tensor] = {}  # by name

    def note(self, trainer: Trainer) -> None:
        """Copies the weights in use."""
        self.noted = copied(trainer.lightning_module)

    def note_saved(self, trainer: Trainer) -> None:
        """Copies what a checkpoint holds, which was validated before a resume."""
        self.noted = copied(_saved(trainer))

    def changed(self, trainer: Trainer) -> str:
        """Names a weight that is not saved as it was validated; empty if all are."""
        now = values(_saved(trainer))
        # an average may be kept, and saved, in another precision than the one that is validated
        now |= {name: now[name].to(one.dtype) for name, one in self.noted.items() if name in now}
        others = (name for name, value in now.items() if not same(value, self.noted.get(name)))
        other = next(others, "")
        if other and _swaps(trainer):  # among its own weights, it does so at each validation
            other = "" if _same_in_any_order(self.noted.values(), now.values()) else other
        return other

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
            if isinstance(value, Tensor) and _is_compared(value) and not _close(value, noted):
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


def same(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether two weights are known and equal; NaN is equal to NaN."""
    if one is None or other is None or (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    if torch.equal(one, other):
        return True
    one, other = _wide(one), _wide(other)
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether two weights differ by no more than rounding, in whatever precision each is kept."""
    if one.numel() != other.numel():
        return False
    rounding = 1e-5 if one.dtype == other.dtype else 2e-2  # of half precision
    one, other = (_wide(each).flatten().nan_to_num(nan=-1.0) for each in (one.detach(), other))
    apart = one.to(other.device) != other  # as infinity less infinity is NaN
    difference = (one.to(other.device) - other)[apart].norm()
    return float(difference) <= rounding * float(other.norm())


def _same_in_any_order(ones: Iterable[Tensor], others: Iterable[Tensor]) -> bool:
    """Whether each of these weights is, under whatever name, one of the others, and no more."""
    left = [*others]
    for one in ones:
        found = next((place for place, other in enumerate(left) if same(one, other)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _saved(trainer: Trainer) -> nn.Module:
    """Returns whose weights a checkpoint holds."""
    averages = [
        callback._average_model.module
        for callback in trainers.callbacks_of(trainer, WeightAveraging)
        if callback._average_model is not None
    ]
    return (trainer.lightning_module, *averages)[-1]


def values(module: nn.Module) -> dict[str, Tensor]:
    """Returns a module's parameters and buffers by their names, but for integers, as counts are.

    Buffers that no checkpoint has, such as a cache that each forward writes, are left out.
    """
    both, unsaved = (*module.named_parameters(), *module.named_buffers()), _unsaved(module)
    return {
        name: value.detach() for name, value in both if _is_compared(value) and name not in unsaved
    }


def copied(module: nn.Module) -> dict[str, Tensor]:
    """Copies what `values` returns."""
    return {name: value.clone() for name, value in values(module).items()}


def _is_compared(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex() or value.dtype == torch.bool


def _unsaved(module: nn.Module) -> set[str]:
    """Returns the names of the buffers that no checkpoint has."""
    return {
        f"{prefix}.{name}".removeprefix(".")
        for prefix, part in module.named_modules()
        for name in part._non_persistent_buffers_set
    }


def _wide(value: Tensor) -> Tensor:
    """Widens types of 8 bits, for which PyTorch has little arithmetic."""
    return value.float() if value.itemsize == 1 else value
