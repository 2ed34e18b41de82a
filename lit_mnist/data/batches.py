"""Training batches, indexed straight out of tensors in memory.

A batch is one index operation on the uint8 images. There are no worker processes: for images this
small, passing them between processes costs several times what it saves. Order and randomness are
functions of (seed, epoch, step, rank) and never of what ran before, so a resumed run sees the same
batches as an uninterrupted one.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_mnist.errors import UserError


@dataclasses.dataclass(slots=True, eq=False)  # tensors have no answer to `==`
class Batch:
    """A batch of B images on this rank; `images, labels = batch` unpacks it as any loader's."""

    images: Tensor  # uint8 (B, 28, 28); float (B, 1, 28, 28) in [0, 1] once on the device
    labels: Tensor  # int64 (B,)
    indices: Tensor  # int64 (B,): positions in the data set
    loss_divisor: float  # images in the batch on all ranks / number of ranks; divides the loss sum
    seed: int | None = None  # for augmentation and dropout in this step; None: no randomness

    # No tuple: DDP on GPUs may rebuild the tuples among its inputs, as plain ones
    def __iter__(self) -> Iterator[Tensor]:
        """Yields the images and the labels."""
        return iter((self.images, self.labels))

    def __getitem__(self, place: int) -> Tensor:
        """Returns the images, 0, or the labels, 1."""
        return (self.images, self.labels)[place]

    def __len__(self) -> int:
        """Number of parts that it unpacks to; that of its images is `len(batch.images)`."""
        return 2

    def replace(self, **changes: Any) -> "Batch":
        """Returns a copy with other values of the fields that are named."""
        return dataclasses.replace(self, **changes)

    _replace = replace  # its name while this was a named tuple

    def to(self, device: torch.device, non_blocking: bool = False) -> "Batch":
        """Moves the batch; Lightning would search every field, even if all are there already."""
        if self.images.device == device:
            return self
        images, labels, indices = (
            part.to(device, non_blocking=non_blocking)
            for part in (self.images, self.labels, self.indices)
        )
        return self.replace(images=images, labels=labels, indices=indices)


def derive_seeds(seed: int, *path: int, count: int = 1) -> list[int]:
    """Derives 63-bit seeds for a path such as (epoch, rank) from a run's seed.

    The first seeds do not depend on `count`.
    """
    state = np.random.SeedSequence(seed, spawn_key=path).generate_state(count, np.uint64)
    return (state >> np.uint64(1)).tolist()


def seed_generators(seed: int, device: torch.device) -> None:
    """Seeds the generator of `device`, and that of the CPU, from which a user's net may draw."""
    # torch.manual_seed seeds the generators of all devices, which takes longer than a small dropout
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)


class Turn(NamedTuple):
    """Which epoch a pass over the training batches belongs to."""

    epoch: int  # from 0
    kept: bool = True  # whether the loader's state follows this pass


class TrainBatches:
    """Shuffled batches; each iteration is one epoch.

    Its state is the position within the epoch. After loading a state, the first pass through that
    epoch starts at that position.

    Args:
        images: uint8 (M, 28, 28), on the device that trains.
        labels: int64 (M,), on the same device.
        indices: int64 (N,), on the CPU: the images to train on.
        batch_size: Images per step, over all ranks.
        drop_last: Whether to drop the last batch of an epoch if it is smaller.
        seed: The run's seed.
        turn: Called with the pass when its first batch is needed; returns its epoch.
        reshuffle: Whether each epoch has its own order; if not, all have that of epoch 0.
        rank: Rank of this process.
        world_size: Number of processes; each takes every `world_size`-th image of a batch.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        indices: Tensor,
        *,
        batch_size: int,
        drop_last: bool,
        seed: int,
        turn: Callable[[Iterator[Batch]], Turn],
        reshuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images, self.labels, self.indices = images, labels, indices
        self.batch_size, self.drop_last, self.reshuffle = batch_size, drop_last, reshuffle
        self.seed, self.turn, self.rank, self.world_size = seed, turn, rank, world_size
        self.place = {"epoch": 0, "step": 0}
        self.resumed = self.place

    def state_dict(self) -> dict[str, int]:
        """Returns the epoch and the number of its batches that were handed out."""
        return dict(self.place)

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Makes the next pass through that epoch start at the saved position."""
        self.place = self.resumed = dict(state_dict)

    @property
    def dataset(self) -> Tensor:
        """The images to train on, as positions: Lightning searches no batch larger than these."""
        return self.indices

    def __len__(self) -> int:
        """Number of steps in an epoch."""
        steps, remainder = divmod(len(self.indices), self.batch_size)
        return steps + (remainder > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        """Yields this rank's slice of each batch of the epoch."""
        return _Pass(self)

    def draw(self, one: Iterator[Batch]) -> Iterator[Batch]:
        """Yields the batches of the pass `one`."""
        epoch, kept = self.turn(one)
        first = 0
        if kept and self.resumed["epoch"] == epoch:
            first, self.resumed = self.resumed["step"], {"epoch": epoch, "step": 0}
        shuffled = epoch if self.reshuffle else 0
        generator = torch.Generator().manual_seed(derive_seeds(self.seed, shuffled)[0])
        order = self.indices[torch.randperm(len(self.indices), generator=generator)]
        order = order.to(self.images.device)
        seeds = derive_seeds(self.seed, epoch, self.rank, count=len(self))
        for step in range(first, len(self)):
            global_batch = order[step * self.batch_size : (step + 1) * self.batch_size]
            index = global_batch[self.rank :: self.world_size]
            if kept:
                self.place = {"epoch": epoch, "step": step + 1}
            yield Batch(
                self.images.index_select(0, index),
                self.labels.index_select(0, index),
                index,
                loss_divisor=len(global_batch) / self.world_size,
                seed=seeds[step],
            )


def check_batch_size(batches: TrainBatches) -> None:
    """Checks that there is at least one full batch, and that ranks can share it evenly.

    Raises:
        UserError: Naming the option and the values that it may take.
    """
    size, world_size, count = batches.batch_size, batches.world_size, len(batches.indices)
    if size % world_size:
        raise UserError(
            f"--data.batch_size {size} is for all ranks together and cannot be divided among"
            f" {world_size}; take a multiple of {world_size}, or fewer --trainer.devices"
        )
    if batches.drop_last and size > count:
        raise UserError(f"--data.batch_size {size} is more than the {count} training images")


class _Pass(Iterator[Batch]):
    """One iteration over `TrainBatches`, which asks for its epoch only at the first batch."""

    def __init__(self, batches: TrainBatches) -> None:
        self.batches = batches.draw(self)

    def __next__(self) -> Batch:
        return next(self.batches)
