"""Refuses folders in which a user's callbacks cannot save, before training begins."""

from collections.abc import Iterator
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint

from lit_mnist import files, trainers
from lit_mnist.errors import UserError
from lit_mnist.training import checkpoint_names


class SaveFolders(Callback):
    """Makes the folders, as their callbacks would at the first save; also of the module's own."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Makes them before training.

        Raises:
            UserError: One cannot be made; names the callback and its dirpath.
        """
        for one, folder in _folders(trainer) if stage == "fit" else ():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                trainer.callbacks.remove(one)  # type: ignore[attr-defined] # or one saves at this error
                raise _error(one, folder, _reason(error)) from error


def check(trainer: Trainer) -> None:
    """Checks that the folders can be written to, or made; changes nothing.

    Raises:
        UserError: Naming the callback and its dirpath.
    """
    for one, folder in _folders(trainer):
        place = next(above for above in (folder, *folder.parents) if above.exists())
        if not place.is_dir():
            raise _error(one, folder, f"{place} is a file")
        try:
            files.check_writable(folder)
        except OSError as error:
            raise _error(one, folder, _reason(error)) from error


def _folders(trainer: Trainer) -> Iterator[tuple[Callback, Path]]:
    """Yields the callbacks that will save in a folder of their own on this machine, and it."""
    if trainer.fast_dev_run or not trainer.is_global_zero:  # type: ignore[attr-defined] # set in its __init__
        return
    saving: list[ModelCheckpoint | OnExceptionCheckpoint] = [
        *checkpoint_names.users_checkpoints(trainer),
        *trainers.callbacks_of(trainer, OnExceptionCheckpoint),
    ]
    for one in saving:
        if one.dirpath is not None and "://" not in str(one.dirpath):
            yield one, Path(one.dirpath)


def _error(one: Callback, folder: Path, why: str) -> UserError:
    return UserError(f"{type(one).__name__} cannot save in {folder}: {why}; change its dirpath")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
