"""What each rank keeps in a checkpoint for itself."""

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
