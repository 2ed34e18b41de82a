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
        own = indices[rank::world_size].to(images.device)
        most = -(-len(indices) // world_size)  # those of rank zero
        count = max(-(-most // batch_size), 1)
        chunks = own.split(batch_size)
        self.chunks = chunks if len(chunks) == count else own.tensor_split(count)

    def __len__(self) -> int:
        """Number of batches on this rank."""
        return len(self.chunks)

    def __iter__(self) -> Iterator[Batch]:
        """Yields the batches of this rank."""
        for index in self.chunks:
            images = self.images.index_select(0, index)
            yield Batch(images, self.labels.index_select(0, index), index, loss_divisor=len(index))
