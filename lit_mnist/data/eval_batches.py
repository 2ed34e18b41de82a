"""Batches for validation, test and prediction."""

from collections.abc import Iterator

from torch import Tensor

from lit_mnist.data.batches import Batch


class EvalBatches:
    """Batches in the given order that hold each image once, on any number of ranks.

    Lightning's sampler repeats images until all ranks have equally many, so that test scores depend
    on the number of ranks; here a rank may have one image fewer. All have equally many batches, as
    a step may wait for the other ranks.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        indices: Tensor,
        *,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images, self.labels = images, labels
        self.sizes = [
            _sizes(len(indices), batch_size, one, world_size) for one in range(world_size)
        ]
        own = indices[rank::world_size].to(images.device)
        self.chunks = own.split(self.sizes[rank])

    def __len__(self) -> int:
        """Number of batches on this rank."""
        return len(self.chunks)

    def images_within(self, batches: int) -> int:
        """Number of images in the first `batches` batches of all ranks together."""
        return sum(sum(sizes[:batches]) for sizes in self.sizes)

    def __iter__(self) -> Iterator[Batch]:
        """Yields the batches of this rank."""
        for index in self.chunks:
            images = self.images.index_select(0, index)
            yield Batch(images, self.labels.index_select(0, index), index, loss_divisor=len(index))


def _sizes(total: int, batch_size: int, rank: int, world_size: int) -> list[int]:
    """Returns the number of images in each of a rank's batches."""
    count = max(-(-total // (batch_size * world_size)), 1)  # of rank zero, which has the most
    own = len(range(rank, total, world_size))
    if -(-own // batch_size) == count:
        return [min(batch_size, own - place * batch_size) for place in range(count)]
    return [own // count + (place < own % count) for place in range(count)]
