"""Preserves how many passes a user's own loops have made over the training batches."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist import trainers
from lit_mnist.data.turns import Turns
from lit_mnist.machine.ranks import of_each_rank, of_this_rank
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.runs import entries


class OwnPasses(AfterStart):
    """Saves their number, as each such pass has an order of its own."""

    def __init__(self) -> None:
        self.loaded: list[int] = []

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves that of each rank, if any has made one."""
        turns = _turns(trainer)
        passes = of_each_rank(trainer, turns.by_hand if turns else 0)
        if any(passes):
            checkpoint[entries.OWN_PASSES] = passes

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the number until training has started."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = list(entries.get(checkpoint, entries.OWN_PASSES, []))

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Goes on from this rank's; if the number of ranks has changed, from the first's."""
        turns, passes = _turns(trainer), of_this_rank(trainer, self.loaded)
        if turns and passes is not None:
            turns.by_hand = passes
        self.loaded = []


def _turns(trainer: Trainer) -> Turns | None:
    """Returns what numbers the passes; a user's data module has none."""
    return getattr(trainers.data_module(trainer), "turns", None)
