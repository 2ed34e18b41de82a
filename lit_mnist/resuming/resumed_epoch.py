"""Restores what Lightning skips when a run is resumed within an epoch."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist import trainers
from lit_mnist.models.plateau import Plateau, mean_over_ranks
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.resuming.epoch_start import call_again
from lit_mnist.runs import entries


class ResumedEpoch(AfterStart):
    """Makes up for five gaps in how Lightning resumes.

    1. A ReduceLROnPlateau is stepped after the checkpoint of the step or epoch is saved. A run
       resumed from that checkpoint never makes up for the step, nor does Lightning step it at the
       end of an epoch that was resumed (Lightning #14699), unless it is told there that the loop
       is no longer restarting. Our `Plateau` is stepped before its checkpoint and needs none of
       this.
    2. A run resumed within an epoch does not call `on_train_epoch_start`, in which callbacks and
       modules set up the epoch: `after_start` calls it.
    3. A batch at which `on_train_batch_start` ended an epoch by returning -1 is never counted as
       started or completed. A later epoch that is resumed is then one batch behind, and its
       validation is left out (`update_restart_stage` in loops/training_epoch_loop.py).
    4. Lightning makes no sanity check before a resume, "because it would mess up the loaded state",
       such as the metrics that were logged last, but makes one if the epoch had ended.
    5. From the end of a validation within an epoch, it ends that step, and so counts it for the
       loggers, only if the validation is due again, and not if a request to stop was its cause.
    """

    def __init__(self) -> None:
        self.due: tuple[str, int] | None = None  # interval and count of the next step
        self.loaded: dict[int, float] = {}
        self.checkpoint: dict[str, Any] = {}  # until training has begun
        self.resumed = False  # whether this epoch was resumed from within

    def keep(self, checkpoint: dict[str, Any]) -> None:
        """Keeps a checkpoint as it is before any hook, which may take out what it has loaded."""
        self.checkpoint = _containers(checkpoint)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Loads the steps that were still due, and counts batches that ended an epoch by -1."""
        if trainer.state.fn == TrainerFn.FITTING:
            if trainers.resumes(trainer):
                trainer.num_sanity_val_steps = 0
            self.loaded = dict(entries.get(checkpoint, entries.PLATEAUS, {}))
            batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]
            skipped = batches["processed"] - batches["started"]
            for name in ("started", "completed"):
                batches[name] += skipped

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the steps that are still due."""
        if due := self._values(trainer):
            checkpoint[entries.PLATEAUS] = due

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the step that was saved, unless Lightning or `end_cut_short` does."""
        epoch, mid_epoch = trainer.fit_loop.epoch_loop, trainer.fit_loop.restarted_mid_epoch
        validated = mid_epoch and epoch.restarted_on_last
        due = (validated and trainers.validates_next(trainer)) or trainers.validation_due(trainer)
        if not (trainers.ends_within_epoch(trainer) or due):
            epoch._batches_that_stepped += validated
            _step(trainer, self.loaded)
        self.loaded, self.resumed = {}, mid_epoch

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Calls the skipped hooks of the epoch's start."""
        if self.resumed:
            call_again(trainer, self.checkpoint)
        self.checkpoint = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets what was due before."""
        self.due, self.resumed = None, False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Notes that schedules with interval "step" are due, once a step is complete."""
        complete = not trainer.fit_loop._should_accumulate()
        self.due = ("step", batch_idx) if complete else None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that schedules with interval "epoch" are due, once an epoch is complete.

        Lightning steps them behind this hook, before any hook of the next epoch's start.
        """
        trainer.fit_loop._restarting = False  # it would leave out those of a resumed epoch
        self.due = ("epoch", trainer.current_epoch) if trainer.is_last_batch else None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise; a checkpoint that is saved from now on needs no step."""
        self.due, self.resumed = None, False

    def _values(self, trainer: Trainer) -> dict[int, float]:
        if self.due is None:
            return {}
        interval, number = self.due
        return {
            place: float(mean_over_ranks(trainer, trainer.callback_metrics[str(config.monitor)]))
            for place, config in enumerate(trainer.lr_scheduler_configs)
            if config.reduce_on_plateau
            and not isinstance(config.scheduler, Plateau)
            and config.interval == interval
            and (number + 1) % config.frequency == 0
            and config.monitor in trainer.callback_metrics
        }


def _containers(value: Any) -> Any:
    """Copies dicts and lists, but nothing else that they hold."""
    if isinstance(value, dict):
        return {key: _containers(one) for key, one in value.items()}
    return [*map(_containers, value)] if isinstance(value, list) else value


def _step(trainer: Trainer, values: dict[int, float]) -> None:
    """Steps schedules with their monitored values."""
    for place, value in values.items():
        schedule = trainer.lr_scheduler_configs[place].scheduler
        trainer.lightning_module.lr_scheduler_step(schedule, value)
