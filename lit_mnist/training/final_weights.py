"""Saves weights that callbacks or the module change after the last epoch."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run
from lit_mnist.runs.weights import shapes
from lit_mnist.training.checkpoint_io import finish_writing
from lit_mnist.training.checkpointing import BestCheckpoint
from lit_mnist.training.patching import overrides
from lit_mnist.training.run_folder import drop_test


class FinalWeights(Callback):
    """Saves in `last.ckpt` the weights that a callback or the module sets at the end of training.

    Lightning's StochasticWeightAveraging does so after the last checkpoint is written, so that its
    average would be in none.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves them; `save_after_the_module` moves this behind the hooks of all others."""
        self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """Writes `last.ckpt` again if its weights are no longer the module's.

        A run is complete once this has returned, so all checkpoints must be on disk by then.
        """
        finish_writing(trainer)
        finishing = _finishing(trainer)
        if not finishing:
            return
        # on every rank, as sharded weights are put together by all of them
        weights = trainer.strategy.lightning_module_state_dict()
        if trainer.strategy.broadcast(self._changed(trainer, weights)):
            for one in trainer.checkpoint_callbacks:
                if isinstance(one, BestCheckpoint):
                    one.measured = {}  # the last validation was of other weights
            if trainer.is_global_zero:
                drop_test(self.run)  # also if no batch was trained
            trainer.save_checkpoint(self.run.last)
            finish_writing(trainer)
            if trainer.is_global_zero:
                print(f"{self.run.last} holds the weights that {finishing} set at the end")

    def _changed(self, trainer: Trainer, weights: dict[str, Any]) -> bool:
        if not trainer.is_global_zero or not self.run.last.exists():
            return False
        saved = checkpoints.read(self.run.last)["state_dict"]
        if shapes(saved) != shapes(weights):  # another form, such as of a quantised network
            return False
        return checkpoints.weights_sha256(saved) != checkpoints.weights_sha256(weights)


def _finishing(trainer: Trainer) -> str:
    """Names the user's callbacks that act after the last epoch, and the module if it does."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
    names = [
        type(callback).__name__
        for callback in callbacks
        if overrides(callback, Callback, "on_train_end")
        and not type(callback).__module__.startswith("lit_mnist.")
        and not callback.__class__.__name__.endswith("ProgressBar")
    ]
    if overrides(trainer.lightning_module, LightningModule, "on_train_end"):
        names.append(type(trainer.lightning_module).__name__)
    return " and ".join(names)
