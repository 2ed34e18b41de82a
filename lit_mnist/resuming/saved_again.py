"""Saves a user's checkpoints of the end of training once, also if a run is killed behind them."""

from contextlib import suppress
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_mnist import trainers
from lit_mnist.errors import UserError
from lit_mnist.resuming.cut_short_files import is_of, is_of_now
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpoint_names import users_checkpoints


class SavedAgain(Callback):
    """Has files that were saved behind the last checkpoint be replaced by those of a resume.

    Where training has cut an epoch short, `end_cut_short` does again what follows its last step. A
    ModelCheckpoint of a user, which does not know what it has saved there, would add a version to
    the name. It comes before these in each hook.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.again = False  # whether this is such an end
        self.over: list[ModelCheckpoint] = []  # those that count no versions for now

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes whether anything is left to train."""
        self.again = trainer.fit_loop.restarted_mid_epoch and trainers.ends_within_epoch(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks for files of the names that are saved next."""
        self._save_over(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise."""
        self._save_over(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends it."""
        for one in self.over:
            one._enable_version_counter = True
        self.again, self.over = False, []

    def _save_over(self, trainer: Trainer) -> None:
        for one in users_checkpoints(trainer) if self.again else []:
            values, last = one._monitor_candidates(trainer), one.CHECKPOINT_NAME_LAST
            names = [one.filename, *([last] if one.save_last else [])]
            paths = [one.format_checkpoint_name(values, name) for name in names]
            there = [path for path in paths if one.file_exists(path, trainer)]
            own = there and all(self._has_saved(path, trainer) for path in there)
            if own and one._enable_version_counter:
                one._enable_version_counter = False
                self.over.append(one)

    def _has_saved(self, path: str, trainer: Trainer) -> bool:
        """Whether this run has saved a file behind this very step."""
        with suppress(UserError):  # of weights only, or not on this machine
            saved = checkpoints.read(Path(path))
            return is_of(saved, self.run) and is_of_now(saved, trainer)
        return False
