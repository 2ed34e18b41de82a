"""Adds the gradients of three or more ranks in the same order before and after a resume."""

from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel


class SameSums(Callback):
    """Makes DDP sum the gradient of each weight by itself on CPUs.

    DDP packs gradients together, and packs them anew after its first step. In which order gloo adds
    the parts of the ranks depends on a number's place in its pack, so the first step of a resumed
    run would be rounded otherwise. Two ranks have one order only. NCCL on GPUs is left as it is,
    where this would cost speed.
    """

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Tells DDP so before its first step; it takes one way to sum, and the user's has priority.

        `Frozen`, which may build DDP anew, comes before.
        """
        model: Any = trainer.strategy.model
        if trainer.world_size < 3 or not isinstance(model, DistributedDataParallel):
            return
        if any(getattr(part, "sparse", None) is True for part in model.modules()):
            return  # whose gradients DDP sums in a way of its own
        if not model._comm_hooks and distributed.get_backend(model.process_group) == "gloo":
            model.register_comm_hook(model.process_group, mean_of_each)


def flat_gradients(bucket: distributed.GradBucket) -> Iterator[Tensor]:
    """Yields the gradient of each weight, flat: real numbers, two for a complex one.

    `bucket.gradients()` has only the first half of those of a complex weight.
    """
    start = 0
    for weights in bucket.parameters():
        end = start + weights.numel() * (2 if weights.is_complex() else 1)
        yield bucket.buffer()[start:end]
        start = end


def mean_of_each(
    group: distributed.ProcessGroup, bucket: distributed.GradBucket
) -> torch.futures.Future[Tensor]:
    """Replaces each gradient by its mean over the ranks, as DDP does for the whole pack."""
    sums = [
        distributed.all_reduce(one, group=group, async_op=True).get_future()
        for one in flat_gradients(bucket)
    ]
    done = torch.futures.collect_all(sums)
    return done.then(lambda _: bucket.buffer().div_(group.size()))
