"""Keeps when and where a user's ModelCheckpoints have saved last, and who waits to save."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.runs import entries
from lit_mnist.training.checkpoint_names import users_checkpoints


class SavedSteps(Callback):
    """Completes their states (lightning/pytorch/callbacks/model_checkpoint.py, `state_dict`).

    Gradients may be accumulated before the next step. Lightning would save again at the first of
    those batches, under the same name, and those gradients are in no checkpoint. At the end of
    training, it would save as the last one what is not, if no other was saved since the resume. One
    that monitors a validation's metric saves every few steps only once the next validation has
    measured it: a resume before that would lose the file.
    """

    def __init__(self) -> None:
        self.loaded: dict[str, int] = {}
        self.files: dict[str, str] = {}
        self.deferred: set[str] = set()

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the step of each, and which of them wait for a validation."""
        users = users_checkpoints(trainer)
        if users:
            steps = {one.state_key: one._last_global_step_saved for one in users}
            checkpoint[entries.SAVED_STEPS] = steps
            files = {one.state_key: str(one._last_checkpoint_saved) for one in users}
            checkpoint[entries.SAVED_FILES] = files
        waiting = [one.state_key for one in users if one._defer_save_until_validation]
        if waiting:
            checkpoint[entries.DEFERRED] = waiting

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the steps until the states are loaded."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = dict(entries.get(checkpoint, entries.SAVED_STEPS, {}))
            self.files = dict(entries.get(checkpoint, entries.SAVED_FILES, {}))
            self.deferred = set(entries.get(checkpoint, entries.DEFERRED, []))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores the steps; that of a file by which this resumes is its own."""
        if self.loaded and any(one.monitor for one in users_checkpoints(trainer)):
            _make_validation_loaders(trainer)
        for one in users_checkpoints(trainer) if self.loaded else ():
            saved = self.loaded.get(one.state_key, one._last_global_step_saved)
            own = _has_saved(one, Path(str(trainer.ckpt_path)))
            one._last_global_step_saved = trainer.global_step if own else saved
            one._defer_save_until_validation = one.state_key in self.deferred and not own
            file = self.files.get(one.state_key, "")
            if file and one.file_exists(file, trainer):  # not one of a folder that was moved
                one._last_checkpoint_saved = file
        self.loaded, self.deferred = {}, set()


def _make_validation_loaders(trainer: Trainer) -> None:
    """Has the number of validation batches be known, as it is in a run that was not interrupted.

    Without it, Lightning does not see that a validation follows the last batch of an epoch, and
    saves under the score of the validation before.
    """
    loop = trainer.fit_loop.epoch_loop.val_loop
    if loop._combined_loader is None:
        last = loop._last_val_dl_reload_epoch
        trainer.validating = True
        loop.setup_data()
        trainer.training = True
        loop._last_val_dl_reload_epoch = last


def _has_saved(one: ModelCheckpoint, path: Path) -> bool:
    known = filter(None, (one.best_model_path, one.last_model_path, *one.best_k_models))
    return path.resolve() in {Path(name).resolve() for name in known}
