"""Keeps a user's ModelCheckpoint from writing where this program writes its own."""

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_mnist.errors import UserError
from lit_mnist.runs.folder import BEST, LAST, Run
from lit_mnist.training.checkpointing import BestCheckpoint, LastCheckpoint


def check(trainer: Trainer, run: Run) -> None:
    """Checks the callbacks of the options and of the module's `configure_callbacks`.

    A whole `last.ckpt`, of `save_last`, does no harm: the run can be resumed from it.

    Raises:
        UserError: Naming the file.
    """
    for one in trainer.checkpoint_callbacks:
        own = isinstance(one, (BestCheckpoint, LastCheckpoint))
        if own or not isinstance(one, ModelCheckpoint):
            continue
        last = one.save_last and one.save_weights_only
        path = run.best.parent / (LAST if last else f"{one.filename}.ckpt")
        there = one.dirpath is None or Path(one.dirpath).resolve() == path.parent.resolve()
        if there and path.name in (BEST, LAST):
            raise UserError(
                f"ModelCheckpoint would write {path}, which is this program's; change its"
                f" {'save_last' if last else 'filename'} or dirpath"
            )
