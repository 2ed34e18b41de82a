"""Makes SpikeDetection resume with the losses that it has averaged."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import SpikeDetection
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist import trainers
from lit_mnist.runs import entries


class Spikes(Callback):
    """Completes the state of SpikeDetection, of which a trainer takes one.

    It does not save its running mean, nor which of its values is the oldest, loads it into an
    attribute that it does not have, and moves it to the device only at an epoch's first batch
    (lightning/fabric/utilities/spike.py).
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Makes it save its mean, and load it into the right attribute."""
        for detector in trainers.callbacks_of(trainer, SpikeDetection):
            detector.running = mean = detector.running_mean  # type: ignore[attr-defined] # see above
            mean.persistent(True)
            mean.base_metric.persistent(True)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Loads how many losses it has averaged, which tells the place of the oldest."""
        if trainer.state.fn == TrainerFn.FITTING:
            for detector in trainers.callbacks_of(trainer, SpikeDetection):
                seen = entries.get(checkpoint, entries.SPIKES, 0)
                detector.running_mean._num_vals_seen = seen

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves how many losses it has averaged."""
        for detector in trainers.callbacks_of(trainer, SpikeDetection):
            checkpoint[entries.SPIKES] = detector.running_mean._num_vals_seen

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Moves its mean to the device of the losses."""
        for detector in trainers.callbacks_of(trainer, SpikeDetection):
            detector.running_mean.to(trainer.strategy.root_device)
