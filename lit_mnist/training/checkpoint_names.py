"""Keeps a user's callbacks from writing or deleting the checkpoints of this program."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint

from lit_mnist import trainers
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
    """Checks the trainer's callbacks; what `save_last` writes gets another name if it has to.

    Raises:
        UserError: Naming the file.
    """
    for one in trainer.checkpoint_callbacks:
        if isinstance(one, OnExceptionCheckpoint) and _is_ours(Path(one.ckpt_path), run):
            # which would save there at this very error
            trainer.callbacks.remove(one)  # type: ignore[attr-defined] # set in its __init__
            raise UserError(
                f"{type(one).__name__} would replace or remove {one.ckpt_path}, which is this"
                " program's; change its filename or dirpath"
            )
    for one in users_checkpoints(trainer):
        _check_written(one, run)


def users_checkpoints(trainer: Trainer) -> list[ModelCheckpoint]:
    """Returns the ModelCheckpoints that are not of this program."""
    ours = (BestCheckpoint, LastCheckpoint)
    found = trainers.callbacks_of(trainer, ModelCheckpoint)
    return [one for one in found if not isinstance(one, ours)]


def _check_written(one: ModelCheckpoint, run: Run) -> None:
    """Refuses a name of ours for what it saves, and changes that of the last it saves.

    Lightning gives the latter the same number if there is a last.ckpt already. It cannot be ours:
    it may be saved before a validation, and at the end of an epoch that is cut short.
    """
    path = _path(one, one.filename, run)
    if _is_ours(path, run):
        raise UserError(
            f"{type(one).__name__} would write {path}, which is this program's; change its filename"
            " or dirpath"
        )
    if one.save_last and _is_ours(_path(one, one.CHECKPOINT_NAME_LAST, run), run):
        one.CHECKPOINT_NAME_LAST += f"{one.CHECKPOINT_JOIN_CHAR}v{one.STARTING_VERSION}"


def _path(one: ModelCheckpoint, name: str | None, run: Run) -> Path:
    """Returns the path of a checkpoint whose name has no values; by default in the run's folder."""
    return run.best.parent / (one.dirpath or "") / f"{name}{one.FILE_EXTENSION}"


def _is_ours(path: Path, run: Run) -> bool:
    """Whether a path is that of the best or the last checkpoint of this run or another."""
    folder = path.parent.resolve()
    other = Run(folder.parent)  # such as a committee's member
    if folder == run.best.parent.resolve():
        return path.name in (BEST, LAST)
    known = (one.exists() for one in (other.config_yaml, other.results_json))
    return folder / path.name in (other.best, other.last) and any(known)
