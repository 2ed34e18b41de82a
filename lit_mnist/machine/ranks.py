"""Gathers what each rank gives, as for a checkpoint; checks it, and finds what this rank gave."""

from collections.abc import Callable, Set
from typing import Any

import torch
from lightning.pytorch import Trainer


def of_each_rank(trainer: Trainer, own: Any) -> list[Any]:
    """Returns what every rank gives here, by rank; all ranks must call it."""
    if trainer.world_size == 1:
        return [own]
    all_ranks: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(all_ranks, own)
    return all_ranks


def each_fits(all_ranks: Any, names: Set[str], fits: Callable[[str, Any], bool]) -> bool:
    """Whether what was read is a dict for each rank, of these names and values that fit them."""
    return isinstance(all_ranks, list) and all(
        isinstance(own, dict)
        and own.keys() <= names
        and all(fits(name, value) for name, value in own.items())
        for own in all_ranks
    )


def of_this_rank(trainer: Trainer, all_ranks: list[Any]) -> Any:
    """Returns what this rank had given, or the first if their number has changed.

    Args:
        trainer: The trainer.
        all_ranks: What `of_each_rank` had returned; if it is empty, None is returned.
    """
    if not all_ranks:
        return None
    return all_ranks[trainer.global_rank if len(all_ranks) == trainer.world_size else 0]
