"""What Lightning leaves out of an epoch that a run goes on with from within."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    GradientAccumulationScheduler,
    ModelPruning,
    SpikeDetection,
    StochasticWeightAveraging,
)
from lightning.pytorch.trainer.states import TrainerFn
from torch.nn.utils import prune

from lit_mnist.models.plateau import Plateau
from lit_mnist.runs import checkpoints

# Callbacks of Lightning's that set up at the start of an epoch what no checkpoint holds
_SET_UP = (GradientAccumulationScheduler, StochasticWeightAveraging)
_KEY = "plateaus_due"  # in a checkpoint: what to step, by place, and the value that is monitored


class ResumedEpoch(Callback):
    """Makes up for three things.

    Lightning steps a ReduceLROnPlateau after the checkpoint of the step or the epoch, and neither
    does so when the run goes on from there nor at the end of an epoch that was gone on with
    (Lightning #14699). Ours, `Plateau`, is stepped before its checkpoint and left alone here.

    And within an epoch it calls no `on_train_epoch_start`, on which a few callbacks of its own
    rely: they forget their schedule, or how many batches a step has.

    And SpikeDetection saves nothing of its mean, and reads it back into an attribute that it hasn't
    (lightning/fabric/utilities/spike.py).
    """

    def __init__(self) -> None:
        self.due: tuple[str, int] | None = None  # interval and number of what Lightning steps next
        self.loaded: dict[int, float] = {}
        self.resumed = False  # whether this epoch was gone on with

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Lets SpikeDetection keep its mean, and read it back by the name that it asks for."""
        for callback in _callbacks(trainer):
            if isinstance(callback, SpikeDetection):
                callback.running = mean = callback.running_mean  # type: ignore[attr-defined] # see above
                mean.persistent(True)
                mean.base_metric.persistent(True)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers what was due."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = dict(checkpoint.get(_KEY, {}))

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps what is due, and notes what the checkpoint lacks to be gone on from."""
        if due := self._values(trainer):
            checkpoint[_KEY] = due
        if trainer.fit_loop._should_accumulate():
            checkpoint[checkpoints.LACKS_KEY] = "gradients"
        prunes = any(isinstance(callback, ModelPruning) for callback in _callbacks(trainer))
        if prunes and prune.is_pruned(pl_module):
            checkpoint[checkpoints.LACKS_KEY] = "masks"
            checkpoint["state_dict"] = unmasked(checkpoint["state_dict"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Makes up for what was due, and for the epoch's start."""
        _step(trainer, self.loaded)
        self.loaded, self.resumed = {}, trainer.fit_loop.restarted_mid_epoch
        for callback in _callbacks(trainer):
            if self.resumed and isinstance(callback, _SET_UP):
                callback.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Steps what Lightning has left out of an epoch that was gone on with."""
        if self.resumed:
            _step(trainer, self._values(trainer))
        self.due, self.resumed = None, False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Notes that schedules of steps are due, once the step is whole."""
        whole = not trainer.fit_loop._should_accumulate()
        self.due = ("step", batch_idx) if whole else None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that schedules of epochs are due, once the epoch is whole."""
        self.due = ("epoch", trainer.current_epoch) if trainer.is_last_batch else None

    def _values(self, trainer: Trainer) -> dict[int, float]:
        if self.due is None:
            return {}
        interval, number = self.due
        return {
            place: float(trainer.callback_metrics[str(config.monitor)])
            for place, config in enumerate(trainer.lr_scheduler_configs)
            if config.reduce_on_plateau
            and not isinstance(config.scheduler, Plateau)
            and config.interval == interval
            and (number + 1) % config.frequency == 0
            and config.monitor in trainer.callback_metrics
        }


def unmasked(weights: dict[str, Any]) -> dict[str, Any]:
    """Gives weights with ModelPruning's masks applied, which it leaves beside them if it's told to.

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


def _step(trainer: Trainer, values: dict[int, float]) -> None:
    """Steps schedules with what they monitor."""
    for place, value in values.items():
        schedule = trainer.lr_scheduler_configs[place].scheduler
        trainer.lightning_module.lr_scheduler_step(schedule, value)


def _callbacks(trainer: Trainer) -> list[Callback]:
    return trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
