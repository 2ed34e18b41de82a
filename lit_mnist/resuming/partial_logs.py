"""Preserves what a module has logged in an epoch when the run is resumed within it."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.logs import logged_sums
from lit_mnist.logs.logged_sums import Sums
from lit_mnist.machine.ranks import of_each_rank
from lit_mnist.resuming import metric_states
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.runs import entries


class PartialLogs(AfterStart):
    """Saves what `self.log` has been given and the states of a user's metrics.

    Lightning saves neither (lightning/pytorch/loops/training_epoch_loop.py, `_results`): an epoch's
    mean would cover only the steps after the resume, and a value that not every step logs would not
    be shown until it is logged again. `TrainLog` saves the scores of this package's modules. A
    metric may also count on from epoch to epoch, such as the best score.

    It comes before the user's callbacks: a checkpoint that they save at an epoch's end has no sums.
    """

    def __init__(self) -> None:
        self.ended = True  # whether the epoch of the logged values has ended
        self.loaded: list[dict[str, Sums]] = []
        self.resumed = False  # whether a checkpoint was loaded
        self.due: Sums = {}  # what was loaded, until the epoch ends

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers the sums until training has started."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.resumed, self.loaded = True, list(entries.get(checkpoint, entries.LOGS, []))

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves each rank's metrics, and the sums of an epoch that has not ended."""
        logged = {}
        if not self.ended:
            since = logged_sums.of(trainer).items()
            logged = self.due | {key: logged_sums.saved(one) for key, one in since}
        metrics = metric_states.of(trainer, pl_module, self.ended)
        local = {"logged": logged, "metrics": metrics}
        all_ranks = of_each_rank(trainer, local)
        if any(sums for rank in all_ranks for sums in rank.values()):
            checkpoint[entries.LOGS] = all_ranks

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that an epoch begins, or goes on."""
        self.ended, self.due = False, {}

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's sums; if the number of ranks has changed, none, with a message."""
        if self.resumed:  # what `on_train_start` has logged is of the first epoch only
            trainer.fit_loop.epoch_loop._results.clear()
        if len(self.loaded) == trainer.world_size:
            local = self.loaded[trainer.global_rank]
            self.due = local["logged"]
            for key, before in self.due.items():
                logged_sums.hold(trainer, key, before)
            missing = metric_states.restore(pl_module, local["metrics"])
            if missing and trainer.is_global_zero:
                print(
                    f"resuming: the module has no metric {', '.join(missing):.200} any more; what"
                    " it logs of it covers only what follows"
                )
        elif self.loaded and trainer.is_global_zero:
            print(
                f"resuming with {trainer.world_size} rank(s) instead of {len(self.loaded)}: what"
                " the module itself logs for this epoch, and its metrics, cover only what follows"
            )
        if self.due:
            logged_sums.go_on(trainer, self.due)
            # else the first batch, as that of an epoch, would reset what it logs
            trainer._logger_connector._first_loop_iter = False
        self.resumed, self.loaded = False, []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that an epoch begins."""
        self.ended = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Discards sums of this epoch."""
        self.ended, self.due = True, {}
        logged_sums.end(trainer)
