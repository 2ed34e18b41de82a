"""Determines which epoch a pass over the training batches belongs to."""

from collections.abc import Iterator

from lightning.pytorch import LightningDataModule

from lit_mnist.data.batches import Batch, Turn


class Turns:
    """Numbers the passes over a data module's training batches.

    The Trainer's passes have its epochs. Passes of a user's own loop are counted apart, so that
    such a loop, even in a callback, does not disturb the Trainer's batches.

    Args:
        data: The data module, whose Trainer may be attached later.
    """

    def __init__(self, data: LightningDataModule) -> None:
        self.data = data
        self.by_hand = 0  # passes of a user's own so far

    def __call__(self, one: Iterator[Batch]) -> Turn:
        """Returns the epoch of the pass `one`."""
        trainer = self.data.trainer
        if trainer is None:
            return self._own()
        loader = trainer.fit_loop._combined_loader  # whose iterators are the Trainer's own
        reader = None if loader is None else loader._iterator
        if reader is None or all(iterator is not one for iterator in reader.iterators):
            return self._own(kept=False)
        # Not trainer.current_epoch, which lags behind when a run is resumed (Lightning #21938)
        return Turn(trainer.fit_loop.epoch_progress.current.processed)  # type: ignore[attr-defined] # Lightning declares its base class

    def _own(self, kept: bool = True) -> Turn:
        self.by_hand += 1
        return Turn(self.by_hand - 1, kept)
