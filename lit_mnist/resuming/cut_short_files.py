"""Takes back what is saved and logged where training cuts an epoch short."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist import trainers
from lit_mnist.logs.watch import Watch
from lit_mnist.runs import checkpoints, entries
from lit_mnist.runs.folder import Run
from lit_mnist.training.checkpoint_io import finish_writing
from lit_mnist.training.checkpoint_names import users_checkpoints
from lit_mnist.training.ending import within_epoch


class CutShortFiles(Callback):
    """Removes a user's checkpoints of it once the whole epoch has ended, in a run that goes on.

    They are saved after `last.ckpt`, so that a resumed run would not know them. An uninterrupted
    run has none of them, and may have others of the same names. Of a callback that keeps all its
    files, only one whose name is needed again is removed. What was logged at that end,
    `logs/loggers.py` removes.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.files: dict[str, list[str]] = {}  # of each callback, until this epoch ends

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds their names to `last.ckpt`, and what was logged before the end of the epoch."""
        if not (trainer.is_global_zero and within_epoch(trainer)):
            return
        users = users_checkpoints(trainer)
        logged = [one.cut_short for one in trainers.callbacks_of(trainer, Watch) if one.cut_short]
        if not (users or logged) or not self.run.last.is_file():  # a folder, as of sharded weights
            return
        checkpoint = checkpoints.read(self.run.last)
        before = checkpoint["callbacks"]
        new = {
            one.state_key: sorted(_files(one.state_dict()) - _files(before.get(one.state_key, {})))
            for one in users
        }
        added: dict[str, Any] = {entries.CUT_SHORT: new} if any(new.values()) else {}
        if logged and is_of_now(checkpoint, trainer):  # or later steps are logged once more
            added[entries.LOGGED] = logged[0]
        if added:
            checkpoint |= added
            trainer.strategy.checkpoint_io.save_checkpoint(checkpoint, self.run.last)
            finish_writing(trainer)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the names of those that are still to be removed."""
        if self.files:
            checkpoint[entries.CUT_SHORT] = self.files

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restores them, unless this begins with the checkpoint of another run, whose they are."""
        if trainer.state.fn == TrainerFn.FITTING and is_of(checkpoint, self.run):
            self.files = dict(entries.get(checkpoint, entries.CUT_SHORT, {}))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Has the callbacks forget the files in whose place these were saved."""
        for one in users_checkpoints(trainer) if self.files else []:
            _forget_missing(one, trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Removes them; the callbacks save those of this epoch next."""
        users = users_checkpoints(trainer)
        known = set().union(*(_files(one.state_dict()) for one in users))
        for one in users:
            for path in {*self.files.get(one.state_key, [])} - known:
                if _gives_way(one, path, trainer):
                    one._remove_checkpoint(trainer, path)
        self.files = {}


def is_of(checkpoint: dict[str, Any], run: Run) -> bool:
    """Whether this run has saved a checkpoint, in the folder where it is now."""
    saved_in = checkpoint.get("callbacks", {}).get(entries.LAST, {}).get("dirpath", "")
    return bool(saved_in == str(run.last.parent.resolve()))


def is_of_now(checkpoint: dict[str, Any], trainer: Trainer) -> bool:
    """Whether a checkpoint was saved after the last batch of training."""
    loops, now = checkpoint["loops"]["fit_loop"], trainer.fit_loop.epoch_loop.batch_progress
    return bool(loops["epoch_loop.batch_progress"]["total"]["ready"] == now.total.ready)


def _files(state: dict[str, Any]) -> set[str]:
    """Returns the paths that a ModelCheckpoint's state names."""
    named = (state.get(name) for name in ("best_model_path", "last_model_path"))
    return {*filter(None, named), *state.get("best_k_models", {})}


def _gives_way(one: ModelCheckpoint, path: str, trainer: Trainer) -> bool:
    """Whether the limit of the callback, or its next file, needs the place of this one."""
    if one.save_top_k == -1 and path != one.format_checkpoint_name(
        one._monitor_candidates(trainer)
    ):
        return False
    return one._should_remove_checkpoint(trainer, path, "")


def _forget_missing(one: ModelCheckpoint, trainer: Trainer) -> None:
    """Leaves out the files that are not there, so that none of them counts as the best."""
    known = {p: score for p, score in one.best_k_models.items() if one.file_exists(p, trainer)}
    if known != one.best_k_models:
        best = min if one.mode == "min" else max
        one.best_k_models = known
        one.best_model_path = best(known, key=lambda path: float(known[path]), default="")
        one.best_model_score = known.get(one.best_model_path)
