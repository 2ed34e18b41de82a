"""Resumes a run with the stop that a callback or the module has asked for."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_mnist import trainers
from lit_mnist.runs import checkpoints, entries
from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpoint_io import finish_writing
from lit_mnist.training.ending import asked_to_stop


class AskedStop(Callback):
    """Keeps the request, which Lightning forgets, until the stop has happened.

    A run killed on its way to `min_epochs`, or before it could end, would train on beyond. Once it
    has ended, a limit that is raised lets it go on (`runs/ended.py`). The request is then taken out
    of `last.ckpt`, or a run that is killed before it saves the next would stop there once more.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.holds = False  # whether the run has not followed the request yet
        self.loaded = False  # whether the checkpoint has one

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the request."""
        if asked_to_stop(trainer):
            checkpoint[entries.ASKED] = True

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes it."""
        if trainers.resumes(trainer):
            self.loaded = bool(entries.get(checkpoint, entries.ASKED))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Asks once more, with a message, or has the run forget it."""
        if self.holds:
            trainer.should_stop = True
            if trainer.is_global_zero:
                print(
                    "before this resume, a callback or the module has asked to stop: training ends"
                    " as soon as min_epochs and min_steps allow"
                )
        elif self.loaded and trainer.is_global_zero and self.run.last.is_file():
            checkpoint = checkpoints.read(self.run.last)
            checkpoint.pop(entries.ASKED, None)
            trainer.strategy.checkpoint_io.save_checkpoint(checkpoint, self.run.last)
            finish_writing(trainer)
        self.holds = self.loaded = False
