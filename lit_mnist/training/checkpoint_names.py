"""Keeps a user's callbacks from writing or deleting the checkpoints of this program."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint

from lit_mnist.errors import UserError
from lit_mnist.runs.folder import BEST, LAST, Run
from lit_mnist.training.best_checkpoint import BestCheckpoint
from lit_mnist.training.checkpointing import LastCheckpoint


class CheckpointNames(Callback):
    """Checks the callbacks that the module's `configure_callbacks` has added.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Checks before anything is read or written."""
        check(trainer, self.run)


def check(trainer: Trainer, run: Run) -> None:
    """Checks the trainer's callbacks.

    A whole `last.ckpt`, of `save_last`, does no harm: the run can be resumed from it.

    Raises:
        UserError: Naming the file.
    """
    for one in trainer.checkpoint_callbacks:
        if isinstance(one, OnExceptionCheckpoint) and _removes(one, run):
            # which would save there at this very error
            trainer.callbacks.remove(one)  # type: ignore[attr-defined] # set in its __init__
            raise UserError(
                f"{type(one).__name__} would replace or remove {one.ckpt_path}, which is this"
                " program's; change its filename or dirpath"
            )
        own = isinstance(one, (BestCheckpoint, LastCheckpoint))
        if isinstance(one, ModelCheckpoint) and not own:
            _check_written(one, run)


def _removes(one: OnExceptionCheckpoint, run: Run) -> bool:
    """Whether its file, which Lightning removes after every command, is that of a run."""
    path = Path(one.ckpt_path).resolve()
    other = Run(path.parent.parent)  # such as a committee's member
    if path in (run.best.resolve(), run.last.resolve()):
        return True
    return path in (other.best, other.last) and path.exists()


def _check_written(one: ModelCheckpoint, run: Run) -> None:
    # no run resumes from mere weights, and not always from what an error has left
    unfit = {name: getattr(one, name) for name in ("save_weights_only", "save_on_exception")}
    last = one.save_last and any(unfit.values())
    path = run.best.parent / (LAST if last else f"{one.filename}.ckpt")
    there = one.dirpath is None or Path(one.dirpath).resolve() == path.parent.resolve()
    if there and path.name in (BEST, LAST):
        changed = ["save_last", *(key for key, on in unfit.items() if on)] if last else ["filename"]
        raise UserError(
            f"ModelCheckpoint would write {path}, which is this program's; change its"
            f" {', '.join(changed)} or dirpath"
        )
