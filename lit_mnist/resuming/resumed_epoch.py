"""Restores what Lightning skips when a run is resumed within an epoch."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelPruning, SpikeDetection
from lightning.pytorch.trainer.states import TrainerFn, TrainerStatus
from torch.nn.utils import prune

from lit_mnist import trainers
from lit_mnist.models.plateau import Plateau, mean_over_ranks
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.resuming.epoch_start import call_again
from lit_mnist.runs import entries, optimization
from lit_mnist.training.ending import ends_within_epoch, validates_next


class ResumedEpoch(AfterStart):
    """Makes up for four gaps in how Lightning resumes.

    1. A ReduceLROnPlateau is stepped after the checkpoint of the step or epoch is saved. A run
       resumed from that checkpoint never makes up for the step, nor does Lightning step it at the
       end of an epoch that was resumed (Lightning #14699). Our `Plateau` is stepped before its
       checkpoint and needs none of this.
    2. A run resumed within an epoch does not call `on_train_epoch_start`, in which callbacks and
       modules set up the epoch: `after_start` calls it.
    3. SpikeDetection does not save its running mean, nor which of its values is the oldest, loads
       it into an attribute that it does not have, and moves it to the device only at an epoch's
       first batch (lightning/fabric/utilities/spike.py).
    4. A batch at which `on_train_batch_start` ended an epoch by returning -1 is never counted as
       started or completed. A later epoch that is resumed is then one batch behind, and its
       validation is left out (`update_restart_stage` in loops/training_epoch_loop.py).
    """

    def __init__(self) -> None:
        self.due: tuple[str, int] | None = None  # interval and count of the next step
        self.loaded: dict[int, float] = {}
        self.checkpoint: dict[str, Any] = {}  # until training has begun
        self.resumed = False  # whether this epoch was resumed from within

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Makes SpikeDetection save its mean, and load it into the right attribute."""
        for detector in _spike_detectors(trainer):
            detector.running = mean = detector.running_mean  # type: ignore[attr-defined] # see above
            mean.persistent(True)
            mean.base_metric.persistent(True)

    def keep(self, checkpoint: dict[str, Any]) -> None:
        """Keeps a checkpoint as it is before any hook, which may take out what it has loaded."""
        self.checkpoint = _containers(checkpoint)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Loads the steps that were still due, and counts batches that ended an epoch by -1."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = dict(entries.get(checkpoint, entries.PLATEAUS, {}))
            for detector in _spike_detectors(trainer):
                seen = entries.get(checkpoint, entries.SPIKES, 0)
                detector.running_mean._num_vals_seen = seen
            batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]
            skipped = batches["processed"] - batches["started"]
            for name in ("started", "completed"):
                batches[name] += skipped

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the steps still due, and what the checkpoint lacks for an exact resume."""
        schedules = (config.scheduler for config in trainer.lr_scheduler_configs)
        checkpoint[entries.KINDS] = optimization.kinds(trainer.optimizers, schedules)
        if due := self._values(trainer):
            checkpoint[entries.PLATEAUS] = due
        for detector in _spike_detectors(trainer):
            checkpoint[entries.SPIKES] = detector.running_mean._num_vals_seen
        if trainer.fit_loop._should_accumulate():
            checkpoint[entries.LACKS] = "gradients"
        elif _within_a_step(trainer):
            checkpoint[entries.LACKS] = "end of step"
        elif _before_the_end(trainer):
            checkpoint[entries.LACKS] = "end of epoch"
        if trainers.callbacks_of(trainer, ModelPruning) and prune.is_pruned(pl_module):
            checkpoint[entries.LACKS] = "masks"
            checkpoint["state_dict"] = unmasked(checkpoint["state_dict"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Steps the schedules that were due."""
        _step(trainer, self.loaded)
        self.loaded, self.resumed = {}, trainer.fit_loop.restarted_mid_epoch
        for detector in _spike_detectors(trainer):
            detector.running_mean.to(trainer.strategy.root_device)

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Calls the skipped hooks of the epoch's start."""
        if self.resumed:
            call_again(trainer, self.checkpoint)
        self.checkpoint = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Steps the schedules that Lightning has skipped after a resumed epoch."""
        if self.resumed:
            _step(trainer, self._values(trainer))
        self.due, self.resumed = None, False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Notes that schedules with interval "step" are due, once a step is complete."""
        complete = not trainer.fit_loop._should_accumulate()
        self.due = ("step", batch_idx) if complete else None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that schedules with interval "epoch" are due, once an epoch is complete."""
        self.due = ("epoch", trainer.current_epoch) if trainer.is_last_batch else None

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


def unmasked(weights: dict[str, Any]) -> dict[str, Any]:
    """Applies ModelPruning's masks, which it can leave in a checkpoint beside the weights.

    The network that is tested has no masks.
    """
    masks = {name.removesuffix("_mask") for name in weights if name.endswith("_mask")}
    pruned = {name for name in masks if f"{name}_orig" in weights}
    named = {f"{name}_orig": name for name in pruned}
    return {
        named.get(key, key): weights[f"{named[key]}_mask"] * value if key in named else value
        for key, value in weights.items()
        if key.removesuffix("_mask") not in pruned
    }


def _within_a_step(trainer: Trainer) -> bool:
    """Whether an error or Ctrl-C has interrupted a training step or a validation.

    OnExceptionCheckpoint saves then. A resumed run would leave out what was left of it.
    """
    if trainer.state.status != TrainerStatus.INTERRUPTED:
        return False
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    return trainer.validating or batches.ready != batches.processed


def _before_the_end(trainer: Trainer) -> bool:
    """Whether this is the end of a batch that a validation, or the end of its epoch, follows.

    ModelCheckpoint saves there every N steps. A resumed run would go on with the next batch. Where
    training ends, `LastCheckpoint` saves there, and again after the validation.
    """
    batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    if not batches.completed < batches.started == batches.ready == batches.processed:
        return False
    follows = trainer.is_last_batch or validates_next(trainer)
    return follows and not ends_within_epoch(trainer)


def _step(trainer: Trainer, values: dict[int, float]) -> None:
    """Steps schedules with their monitored values."""
    for place, value in values.items():
        schedule = trainer.lr_scheduler_configs[place].scheduler
        trainer.lightning_module.lr_scheduler_step(schedule, value)


def _spike_detectors(trainer: Trainer) -> list[SpikeDetection]:
    """Lists the callbacks of this class, of which a trainer takes one."""
    return trainers.callbacks_of(trainer, SpikeDetection)
