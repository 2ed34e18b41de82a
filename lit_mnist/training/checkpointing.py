"""When `best.ckpt` and `last.ckpt` are written."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from lit_mnist.errors import UserError
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run
from lit_mnist.training.ending import WholeSteps, ends_within_epoch

_OPTIONS: dict[str, Any] = {"enable_version_counter": False, "auto_insert_metric_name": False}


class BestCheckpoint(ModelCheckpoint):
    """Writes `best.ckpt`: the weights with the highest validation accuracy, as they were measured.

    A score counts for the weights that it was measured on: where a callback changes them between
    validation and checkpoint, as ModelPruning does, none is known of what would be saved.

    What has to be beaten is the score that the file itself tells. So the best stays the best in a
    folder that was moved, which is where Lightning begins to count afresh, and if `last.ckpt` is
    older than `best.ckpt`.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        path = run.best
        super().__init__(path.parent, path.stem, monitor="val_acc", mode="max", **_OPTIONS)
        self.run = run
        self.measured: dict[str, float] = {}  # by the last validation, and at which step
        self.due = False  # whether the epoch that ends was validated at its end
        self.validated: list[list[Tensor]] = []  # norms of all weights, as they were validated
        self.told = False  # that they have changed since

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Takes down by what the weights are known again, before a callback averages them."""
        self.validated = [_norms(pl_module)] if _validates_next(trainer) else []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks which score is to be beaten."""
        found = self._score_of_file() if trainer.is_global_zero else {}
        found = trainer.strategy.broadcast(found)
        self.best_k_models, self.best_model_path, self.best_model_score = {}, "", None
        if found:
            self.best_model_path = self.kth_best_model_path = self.format_checkpoint_name({})
            self.best_model_score = self.kth_value = torch.tensor(found["val_acc"])
            self.best_k_models = {self.best_model_path: self.kth_value}
            self._write_down(trainer, found)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes it down once more: a hook of the module may have changed them."""
        self.validated.append(_norms(pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the score down; saves, unless the epoch ends here and has yet to be completed."""
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        scores = {name: trainer.callback_metrics.get(name) for name in ("val_acc", "val_loss")}
        place = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        known = {name: float(score) for name, score in scores.items() if score is not None}
        self.measured, self.due = place | known, trainer.is_last_batch
        if not self.due:
            self._save_if_best(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves, if the epoch was validated at its end."""
        if self.due:
            self.due = False
            self._save_if_best(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Tells of each checkpoint what is known of its weights."""
        return super().state_dict() | {"measured": self.measured}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes nothing over but the last validation: `best.ckpt` itself tells its score."""
        self.measured = dict(state_dict.get("measured", {}))

    @property
    def state_key(self) -> str:
        """Names the state in a checkpoint, whatever the class is called."""
        return checkpoints.BEST_KEY

    def _save_if_best(self, trainer: Trainer) -> None:
        score = trainer.callback_metrics.get("val_acc")
        now = _norms(trainer.lightning_module)
        same = any(
            len(now) == len(norms) and all(map(torch.equal, now, norms)) for norms in self.validated
        )
        if not trainer.strategy.reduce_boolean_decision(same):
            self.measured = {}
            if not self.told and trainer.is_global_zero:
                print("a callback changes the weights once they are validated: none are the best")
            self.told = True
        elif self.check_monitor_top_k(trainer, score):
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
            self._write_down(trainer, self.measured)

    def _score_of_file(self) -> dict[str, float]:
        if not self.run.best.exists():
            return {}
        try:
            return checkpoints.scores(checkpoints.read(self.run.best))
        except UserError as error:
            print(f"{str(error).partition(';')[0]}; the next epoch that is validated replaces it")
            return {}

    def _write_down(self, trainer: Trainer, scores: dict[str, float]) -> None:
        if trainer.is_global_zero:
            # Seven digits are what float32 holds, and what metrics.csv says
            best = {f"best_{name}": float(f"{value:.7g}") for name, value in scores.items()}
            epoch, _ = int(best.pop("best_epoch")), best.pop("best_step", None)
            self.run.update_results(best_epoch=epoch, **best)


def _norms(module: LightningModule) -> list[Tensor]:
    """Gives the norm of each weight and buffer: equal, if nothing has changed."""
    everything = (*module.named_parameters(), *module.named_buffers())
    values = [value.detach() for _, value in everything if value.is_floating_point()]
    return list(torch._foreach_norm(values)) if values else []


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt`: after each epoch, where training ends within one, and every N steps.

    Args:
        run: The folder.
        every_n_train_steps: Steps of the optimizer between two of them within an epoch; 0: none.
    """

    def __init__(self, run: Run, every_n_train_steps: int = 0) -> None:
        super().__init__(run.last.parent, run.last.stem, **_OPTIONS)
        self.every = every_n_train_steps
        self.saved_at = 0  # step

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Counts on from where training begins."""
        self.saved_at = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves within the epoch, but never amid the batches of one step of the optimizer."""
        if trainer.is_last_batch or trainer.fit_loop._should_accumulate():
            return
        if ends_within_epoch(trainer) or (self._is_due(trainer) and not _validates_next(trainer)):
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves anew where training ends, with what this validation has changed."""
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        if fitting and ends_within_epoch(trainer) and not trainer.fit_loop._should_accumulate():
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves, if the epoch is whole: else it is gone on with from within."""
        if trainer.is_last_batch:
            self._save(trainer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes nothing over: the folder may have been moved since."""

    @property
    def state_key(self) -> str:
        """Names the state in a checkpoint, whatever the class is called."""
        return "last"

    def _is_due(self, trainer: Trainer) -> bool:
        return self.every > 0 and trainer.global_step // self.every > self.saved_at // self.every

    def _save(self, trainer: Trainer) -> None:
        self.saved_at = trainer.global_step
        self.best_model_path = self.last_model_path = self.format_checkpoint_name({})
        self._save_checkpoint(trainer, self.last_model_path)


def _validates_next(trainer: Trainer) -> bool:
    """Whether a validation follows this step: a run that went on from here would leave it out."""
    loop = trainer.fit_loop
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)  # type: ignore[arg-type] # there is one while it trains


def checkpoints_of(run: Run, every_n_train_steps: int = 0) -> list[Callback]:
    """Gives the callbacks that write `best.ckpt` and `last.ckpt`.

    They are two because since 2.6 `save_last=True` leaves `last` at the best epoch (Lightning
    #21244); the best one comes first because `ckpt_path="best"` reads the first.
    """
    return [WholeSteps(), BestCheckpoint(run), LastCheckpoint(run, every_n_train_steps)]
