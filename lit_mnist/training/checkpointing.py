"""Writes `last.ckpt`, ends training only at whole steps, and lists what writes checkpoints."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_mnist.runs import entries
from lit_mnist.runs.folder import Run
from lit_mnist.trainers import ends_within_epoch, validates_next
from lit_mnist.training.best_checkpoint import OPTIONS, BestCheckpoint
from lit_mnist.training.callbacks import MetricsCSV


class WholeSteps(Callback):
    """Lets training end only after a complete optimizer step.

    While gradients are being accumulated, a request to stop is delayed until the optimizer steps:
    checkpoints do not hold gradients, and without them a resumed run would differ.
    `module_callbacks` puts it behind all that may ask for a stop.
    """

    def __init__(self) -> None:
        self.stop_delayed = False

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Delays a stop, or lets a delayed one happen."""
        self._hold(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise, as EarlyStopping requests its stop here."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._hold(trainer)

    def _hold(self, trainer: Trainer) -> None:
        stop = self.stop_delayed or trainer.should_stop
        self.stop_delayed = stop and trainer.fit_loop._should_accumulate()
        trainer.should_stop = stop and not self.stop_delayed


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt`: after each epoch, where training ends within one, and every N steps.

    Args:
        run: The folder.
        every_n_train_steps: Optimizer steps between checkpoints within an epoch; 0: none.
    """

    state_key = entries.LAST  # independent of the class's name

    def __init__(self, run: Run, every_n_train_steps: int = 0) -> None:
        super().__init__(run.last.parent, run.last.stem, **OPTIONS)
        self.every, self.saved_at = every_n_train_steps, 0  # optimizer steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts steps from where training begins."""
        self.saved_at = _steps(trainer)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Saves if it is time to, but never while gradients are being accumulated.

        `save_after_the_module` calls this, and the next, only behind the module's own hook.
        """
        if trainer.is_last_batch or trainer.fit_loop._should_accumulate():
            return
        if ends_within_epoch(trainer) or (self._is_due(trainer) and not validates_next(trainer)):
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves again where training ends, to include what this validation has changed."""
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        if fitting and ends_within_epoch(trainer) and not trainer.fit_loop._should_accumulate():
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves if the epoch is complete; an interrupted one is resumed from within."""
        if trainer.is_last_batch:
            self._save(trainer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores, as Lightning does in the same folder, what hooks read until it saves."""
        if state_dict.get("dirpath") == self.dirpath:
            super().load_state_dict(state_dict)

    def _is_due(self, trainer: Trainer) -> bool:
        return self.every > 0 and _steps(trainer) // self.every > self.saved_at // self.every

    def _save(self, trainer: Trainer) -> None:
        self.saved_at = _steps(trainer)
        self.best_model_path = self.last_model_path = self.format_checkpoint_name({})
        self._save_checkpoint(trainer, self.last_model_path)


def _steps(trainer: Trainer) -> int:
    """Returns the number of steps; of batches if a module steps an optimizer of PyTorch's itself.

    Lightning then counts no step, and lets no gradients be accumulated.
    """
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress
    return trainer.global_step or int(batches.total.ready)


def checkpoints_of(
    run: Run, every_n_train_steps: int = 0, metrics: MetricsCSV | None = None
) -> list[Callback]:
    """Returns the callbacks that write `best.ckpt` and `last.ckpt`.

    There are two because since Lightning 2.6, `save_last=True` leaves `last` at the best epoch
    (#21244). The one for the best comes first: it is then `trainer.checkpoint_callback`,
    unless the user has one. No other of ours is a `Checkpoint`: code may ask each of them for its
    `best_model_path`.
    """
    return [WholeSteps(), BestCheckpoint(run, metrics), LastCheckpoint(run, every_n_train_steps)]
