"""Preserves what a module has logged in an epoch when the run is resumed within it."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torchmetrics import Metric

from lit_mnist.logs import logged_sums
from lit_mnist.logs.logged_sums import Sums, states
from lit_mnist.models.scoring import RunningScores
from lit_mnist.resuming.ranks import of_each_rank
from lit_mnist.runs import entries


class PartialLogs(Callback):
    """Saves the sums of `self.log(…, on_epoch=True)` and the states of a user's metrics.

    Lightning saves neither, so an epoch's mean would cover only the steps after the resume
    (lightning/pytorch/loops/training_epoch_loop.py, `_results`). `TrainLog` saves the scores of
    this package's modules.

    It comes before the user's callbacks: a checkpoint that they save at an epoch's end has no sums.
    """

    def __init__(self) -> None:
        self.ended = True  # whether the epoch of the logged values has ended
        self.loaded: list[dict[str, Sums]] = []
        self.due: Sums = {}  # loaded sums to add as soon as their names are logged again

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers the sums until training starts."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = list(entries.get(checkpoint, entries.LOGS, []))

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves each rank's sums of an epoch that has not ended."""
        if self.ended:
            return
        logged = {name: logged_sums.saved(one) for name, one in logged_sums.of(trainer).items()}
        metrics = {name: states(one) for name, one in _metrics(pl_module).items()}
        local = {"logged": self.due | logged, "metrics": metrics}
        all_ranks = of_each_rank(trainer, local)
        if any(sums for rank in all_ranks for sums in rank.values()):
            checkpoint[entries.LOGS] = all_ranks

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's sums; if the number of ranks has changed, none, with a message."""
        self.ended, self.due = False, {}
        if len(self.loaded) == trainer.world_size:
            local = self.loaded[trainer.global_rank]
            self.due = local["logged"]
            modules = dict(pl_module.named_modules())
            for name, values in local["metrics"].items():
                if name in modules:
                    _load(modules[name], values)
        elif self.loaded and trainer.is_global_zero:
            print(
                f"resuming with {trainer.world_size} rank(s) instead of {len(self.loaded)}: what"
                " the module itself logs for this epoch covers only its remaining steps"
            )
        self.loaded = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Discards sums of the previous epoch."""
        self.ended, self.due = False, {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds the loaded sums to those that the first step has logged."""
        self._add(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds sums of values logged after `on_train_batch_end`; logs those not logged again."""
        self._add(trainer)
        for key, sums in self.due.items():
            logged_sums.log_again(trainer, key, sums)
        self.ended, self.due = True, {}

    def _add(self, trainer: Trainer) -> None:
        logged = logged_sums.of(trainer) if self.due else {}
        for name in self.due.keys() & logged.keys():
            logged_sums.add(logged[name], self.due.pop(name))


def _metrics(module: LightningModule) -> dict[str, Metric]:
    """Returns the user's own metrics that have been updated."""
    return {
        name: one
        for name, one in module.named_modules()
        if isinstance(one, Metric)
        and not isinstance(one, RunningScores)
        and one._defaults
        and one.update_called
    }


def _load(metric: Metric, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name in metric._defaults:
            single = isinstance(value, Tensor)
            parts = [part.to(metric.device) for part in ([value] if single else value)]
            setattr(metric, name, parts[0] if single else parts)
    metric._update_count = max(metric._update_count, 1)
