"""Writes the checkpoints `best.ckpt` and `last.ckpt`; `runs/folder.py` names the files."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints, entries
from lit_mnist.runs.folder import Run
from lit_mnist.training.ending import WholeSteps, ends_within_epoch, validates_next
from lit_mnist.training.validated_weights import ValidatedWeights

_OPTIONS: dict[str, Any] = {"enable_version_counter": False, "auto_insert_metric_name": False}


class BestCheckpoint(ModelCheckpoint):
    """Writes `best.ckpt`: the weights with the highest validation accuracy.

    A score is valid only for the weights that it was measured on. If a callback changes them
    between validation and checkpoint, as ModelPruning does, the changed weights are not saved.

    The score to beat is the one stored in `best.ckpt` itself. The best therefore stays the best if
    the folder is moved, where Lightning would start counting again, and if `last.ckpt` is older
    than `best.ckpt`.

    Args:
        run: The folder.
    """

    state_key = entries.BEST  # independent of the class's name
    _legacy_state_key = "best"  # type: ignore[assignment] # that of earlier versions; a property of Lightning's

    def __init__(self, run: Run) -> None:
        super().__init__(run.best.parent, run.best.stem, monitor="val_acc", mode="max", **_OPTIONS)
        self.run = run
        self.measured: dict[str, float] = {}  # scores of the last validation, and its step
        self.due = False  # whether this epoch was validated at its end
        self.validated = ValidatedWeights()
        self.reported = False  # whether a change since then was reported

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Notes the weights before a callback averages them."""
        self.validated.forget()
        if validates_next(trainer):
            self.validated.note(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reads the score to beat."""
        stored = self._score_of_file() if trainer.is_global_zero else {}
        stored = trainer.strategy.broadcast(stored)
        self.best_k_models, self.best_model_path, self.best_model_score = {}, "", None
        if stored:
            self.best_model_path = self.kth_best_model_path = self.format_checkpoint_name({})
            self.best_model_score = self.kth_value = torch.tensor(stored["val_acc"])
            self.best_k_models = {self.best_model_path: self.kth_value}
            self._write_down(trainer, stored)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes the weights again, as a hook of the module may have changed them."""
        self.validated.note(trainer)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Notes them again, as DDP's first forward pass copies rank 0's buffers to the others."""
        if trainer.world_size > 1 and batch_idx == 0:
            self.validated.note(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Records the score; saves, unless the epoch ends here, which `on_train_epoch_end` does."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        metrics, self.due = trainer.callback_metrics, trainer.is_last_batch
        place = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        names = [name for name in ("val_acc", "val_loss") if name in metrics]
        self.measured = place | {name: float(metrics[name]) for name in names}
        if not self.due:
            self._save_if_best(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves if the epoch was validated at its end."""
        if self.due:
            self.due = False
            self._save_if_best(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Saves the scores that belong to the checkpoint's weights."""
        return super().state_dict() | {"measured": self.measured}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the last validation only: the score to beat is in `best.ckpt` itself."""
        self.measured = dict(state_dict.get("measured", {}))

    def _save_if_best(self, trainer: Trainer) -> None:
        score = trainer.callback_metrics.get("val_acc")
        unchanged = self.validated.include(trainer)
        if not trainer.strategy.reduce_boolean_decision(unchanged):
            self.measured = {}
            if not self.reported and trainer.is_global_zero:
                print("a callback changes the weights after validation: best.ckpt is not written")
            self.reported = True
        elif self.check_monitor_top_k(trainer, score):
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
            self._write_down(trainer, self.measured)

    def _score_of_file(self) -> dict[str, float]:
        if not self.run.best.exists():
            return {}
        try:
            return checkpoints.scores(checkpoints.read(self.run.best))
        except UserError as error:
            print(f"{str(error).partition(';')[0]}; the next validated epoch replaces it")
            return {}

    def _write_down(self, trainer: Trainer, scores: dict[str, float]) -> None:
        if trainer.is_global_zero:
            # Seven digits are the precision of float32, as in metrics.csv
            best = {f"best_{name}": float(f"{value:.7g}") for name, value in scores.items()}
            epoch, _ = int(best.pop("best_epoch")), best.pop("best_step", None)
            self.run.update_results(best_epoch=epoch, **best)


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt`: after each epoch, where training ends within one, and every N steps.

    Args:
        run: The folder.
        every_n_train_steps: Optimizer steps between checkpoints within an epoch; 0: none.
    """

    state_key = entries.LAST  # likewise

    def __init__(self, run: Run, every_n_train_steps: int = 0) -> None:
        super().__init__(run.last.parent, run.last.stem, **_OPTIONS)
        self.every, self.saved_at = every_n_train_steps, 0  # optimizer steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts steps from where training begins."""
        self.saved_at = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Saves within the epoch; `save_after_the_module` moves this behind the module's hook."""
        self.save_within_epoch(trainer)

    def save_within_epoch(self, trainer: Trainer) -> None:
        """Saves if it is time to, but never while gradients are being accumulated."""
        if trainer.is_last_batch or trainer.fit_loop._should_accumulate():
            return
        if ends_within_epoch(trainer) or (self._is_due(trainer) and not validates_next(trainer)):
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves again where training ends; likewise."""
        self.save_after_validation(trainer)

    def save_after_validation(self, trainer: Trainer) -> None:
        """Saves where training ends, to include what this validation has changed."""
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        if fitting and ends_within_epoch(trainer) and not trainer.fit_loop._should_accumulate():
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves if the epoch is complete; an interrupted one is resumed from within."""
        if trainer.is_last_batch:
            self._save(trainer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores nothing, as the folder may have been moved since."""

    def _is_due(self, trainer: Trainer) -> bool:
        return self.every > 0 and trainer.global_step // self.every > self.saved_at // self.every

    def _save(self, trainer: Trainer) -> None:
        self.saved_at = trainer.global_step
        self.best_model_path = self.last_model_path = self.format_checkpoint_name({})
        self._save_checkpoint(trainer, self.last_model_path)


def checkpoints_of(run: Run, every_n_train_steps: int = 0) -> list[Callback]:
    """Returns the callbacks that write `best.ckpt` and `last.ckpt`.

    There are two because since Lightning 2.6, `save_last=True` leaves `last` at the best epoch
    (#21244). The one for the best comes first: it is then `trainer.checkpoint_callback`.
    """
    return [BestCheckpoint(run), WholeSteps(), LastCheckpoint(run, every_n_train_steps)]
