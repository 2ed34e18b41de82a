"""Which pass over the training images it is that begins: a Trainer's epoch, or a loop by hand."""

import itertools
from collections.abc import Iterator

from lightning.pytorch import LightningDataModule

from lit_mnist.data.batches import Batch, Turn


class Turns:
    """Numbers the passes over the training images of a data module.

    Whatever is looped over by hand, in a callback too, leaves the Trainer's batches alone.

    Args:
        data: The data module, whose Trainer may come later.
    """

    def __init__(self, data: LightningDataModule) -> None:
        self.data = data
        self.by_hand = itertools.count()

    def __call__(self, one: Iterator[Batch]) -> Turn:
        """Tells which pass `one` is."""
        trainer = self.data.trainer
        if trainer is None:
            return Turn(next(self.by_hand))
        loader = trainer.fit_loop._combined_loader  # whose iterators are the Trainer's own
        reader = None if loader is None else loader._iterator
        if reader is None or all(iterator is not one for iterator in reader.iterators):
            return Turn(next(self.by_hand), kept=False)
        # Not trainer.current_epoch, which lags behind when a run is resumed (Lightning #21938)
        return Turn(trainer.fit_loop.epoch_progress.current.processed)  # type: ignore[attr-defined] # Lightning declares its base class
