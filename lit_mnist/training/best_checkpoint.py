"""Writes the checkpoint `best.ckpt`; `runs/folder.py` names the file."""

import copy
import math
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_mnist.errors import UserError
from lit_mnist.runs import best_score, checkpoints, entries
from lit_mnist.runs.folder import Run
from lit_mnist.training import validated_images
from lit_mnist.training.callbacks import MetricsCSV
from lit_mnist.training.validated_weights import OtherWeightsError, ValidatedWeights, remedy

OPTIONS: dict[str, Any] = {"enable_version_counter": False, "auto_insert_metric_name": False}


class BestCheckpoint(ModelCheckpoint):
    """Writes `best.ckpt`: the weights with the highest validation accuracy.

    A score is valid only for the weights that it was measured on. If others are in place at the
    checkpoint, as ModelPruning changes them after validation, they are not saved.

    The score to beat is the one stored in `best.ckpt` itself. The best therefore stays the best if
    the folder is moved, where Lightning would start counting again, and if `last.ckpt` is older
    than `best.ckpt`. A score of other images, as --data.eval_batch_size decides them together with
    --trainer.limit_val_batches, is none to beat.

    Args:
        run: The folder.
        metrics: Writes the epoch's row, which is final before this saves.
    """

    state_key = entries.BEST  # independent of the class's name

    def __init__(self, run: Run, metrics: MetricsCSV | None = None) -> None:
        super().__init__(run.best.parent, run.best.stem, monitor="val_acc", mode="max", **OPTIONS)
        self.run, self.metrics = run, metrics
        self.validated = ValidatedWeights()
        self.measured: dict[str, float] = {}  # scores of the last validation, and its step
        self.at_epoch_end = False  # whether that was at the end of this epoch
        self.told = False  # whether a change of the weights since then was reported
        self.unchecked = False  # whether `best.ckpt` is being saved, its weights unchecked
        self.to_beat: dict[str, float] = {}  # the file's scores, until this run counts its images

    def on_train_batch_end(self, *_: Any) -> None:
        """Saves nothing, as there is no score of these weights yet."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Reads the score to beat; a checkpoint that holds scores is of the weights validated."""
        if self.measured:
            self.validated.note_saved(trainer)
        stored = self._scores_in_file() if trainer.is_global_zero else {}
        self.to_beat = trainer.strategy.broadcast(stored)
        self._forget_best()
        if self.to_beat:
            self.best_model_path = self.kth_best_model_path = self.format_checkpoint_name({})
            self.best_model_score = self.kth_value = torch.tensor(self.to_beat["val_acc"])
            self.best_k_models = {self.best_model_path: self.kth_value}
            self._write_down(trainer, self.to_beat)
        self._drop_other_images(trainer)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Notes the weights that are scored."""
        if batch_idx == 0:
            self.measured = {}
            self.validated.note(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Records the score; saves, unless the epoch ends here, which `on_train_epoch_end` does."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        metrics, self.at_epoch_end = trainer.callback_metrics, trainer.is_last_batch
        place = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        images = validated_images.count(trainer)
        counted = {"images": images} if images else {}
        self.measured = place | _known(metrics, "val_acc", "val_loss") | counted
        if not self.at_epoch_end:
            self._save_if_best(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finishes the epoch's row; saves if it was validated at its end.

        All others have logged: Lightning calls this hook of checkpoints after the module's, and
        those of ours come last.
        """
        if self.metrics:
            self.metrics.finish(trainer)
        if self.at_epoch_end:
            self.at_epoch_end = False
            self._save_if_best(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Saves the scores of the last validation."""
        return super().state_dict() | {"measured": self.measured}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Leaves the scores out of a checkpoint of other weights, whoever saves it."""
        if self.measured and self.validated.changed(trainer):
            checkpoint["callbacks"][self.state_key] |= {"measured": {}}

    def check_weights(self, trainer: Trainer, checkpoint: dict[str, Any]) -> None:
        """Leaves the scores out of a checkpoint into which hooks have put other weights.

        Args:
            trainer: The trainer.
            checkpoint: What is about to be saved, after all hooks.

        Raises:
            OtherWeightsError: It is `best.ckpt`, which is not written then.
        """
        state, other = checkpoint.get("callbacks", {}).get(self.state_key, {}), ""
        if state.get("measured"):
            other = self.validated.changed_by_hooks(trainer, checkpoint["state_dict"])
        if other:
            state["measured"] = {}
        # once, as all ranks decide together: `applied` may be in force twice on one of them
        is_best, self.unchecked = self.unchecked, False
        if is_best and not trainer.strategy.reduce_boolean_decision(not other):
            raise OtherWeightsError(other)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores scores and, in the same folder, what hooks read until training starts."""
        self.measured = dict(state_dict.get("measured") or {})
        if state_dict.get("dirpath") == self.dirpath:
            super().load_state_dict(state_dict)

    def _save_if_best(self, trainer: Trainer) -> None:
        metrics = trainer.callback_metrics
        score = metrics["val_acc"] if _known(metrics, "val_acc") else None
        self._drop_other_images(trainer)
        changed = self.validated.changed(trainer)
        if not trainer.strategy.reduce_boolean_decision(not changed):
            self._refuse(trainer, changed)
        elif self.check_monitor_top_k(trainer, score):
            before = copy.deepcopy(super().state_dict())
            self.unchecked = True
            try:
                self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
                self._write_down(trainer, self.measured)
            except OtherWeightsError as error:
                super().load_state_dict(before)
                self._refuse(trainer, str(error))
            finally:
                self.unchecked = False

    def _refuse(self, trainer: Trainer, changed: str) -> None:
        self.measured = {}
        if not self.told and trainer.is_global_zero:
            print(
                f"best.ckpt is not written: {changed or 'a weight'} is not what it was during"
                f" validation, so the score is not that of a checkpoint; {remedy(trainer)}"
            )
        self.told = True

    def _drop_other_images(self, trainer: Trainer) -> None:
        """Drops a score to beat that is of other images, once their number is known."""
        if other := validated_images.other(self.to_beat, trainer):
            self._forget_best()
            if trainer.is_global_zero:
                still = validated_images.still_compared(trainer)
                print(f"best.ckpt {other}: the next validated epoch replaces it{still}")
                self.run.change_results(best_score.without)
        if other or validated_images.count(trainer):
            self.to_beat = {}

    def _forget_best(self) -> None:
        self.best_k_models, self.best_model_path, self.best_model_score = {}, "", None

    def _scores_in_file(self) -> dict[str, float]:
        if not self.run.best.exists():
            return {}
        try:
            return checkpoints.scores(checkpoints.read(self.run.best))
        except UserError as error:
            print(f"{str(error).partition(';')[0]}; the next validated epoch replaces it")
            return {}

    def _write_down(self, trainer: Trainer, scores: dict[str, float]) -> None:
        if trainer.is_global_zero:
            best_score.write(self.run, scores)


def _known(metrics: dict[str, Any], *names: str) -> dict[str, float]:
    """Returns the scores that are numbers: with NaN, Lightning would keep the first epoch."""
    scores = {name: float(metrics[name]) for name in names if name in metrics}
    return {name: score for name, score in scores.items() if math.isfinite(score)}
