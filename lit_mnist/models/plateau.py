"""The plateau schedule, counted as Keras counts it."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

# An improvement is more than one image in 10,000 (Keras' min_delta of 1e-4). The threshold lies
# between one and two images, where the rounding of a float cannot decide.
IMPROVEMENT = 1.5e-4
# The `interval` of a schedule that Lightning leaves alone: it steps those of "epoch" and of "step"
INTERVAL = "epoch, before its checkpoint"


class Plateau(ReduceLROnPlateau):
    """Lowers the learning rate when validation accuracy has stopped rising.

    Keras' `patience=3` lowers the rate at the third epoch in a row without an improvement, where
    PyTorch's waits for the fourth; this class takes Keras' number.

    Args:
        optimizer: Whose learning rates to lower.
        patience: Epochs without improvement, the last of which lowers the rate.
        factor: What the rate is multiplied by, in (0, 1).
        min_lr: The rate is never set below this.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        patience: int = 3,
        factor: float = 0.5,
        min_lr: float = 1e-5,
    ) -> None:
        super().__init__(
            optimizer,
            mode="max",
            factor=factor,
            patience=max(patience, 1) - 1,  # Keras' 0 and 1 both mean the first bad epoch
            threshold=IMPROVEMENT,
            threshold_mode="abs",
            min_lr=min_lr,
        )


class PlateauBeforeCheckpoint(Callback):
    """Steps `Plateau` before the checkpoint of an epoch is put together, and no other schedule.

    Lightning does so afterwards and never makes up for it, so that a resumed run lowers its rate
    an epoch late (Lightning #14699). And it counts an epoch without validation as one without an
    improvement; here only what was measured since the last step counts.
    """

    def __init__(self) -> None:
        self.ended: tuple[Trainer, int] | None = None  # an epoch that is not counted yet
        self.counted: Tensor | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the schedule over from Lightning, which steps those of its two intervals only."""
        for config in trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, Plateau) and config.interval == "epoch":
                config.interval = INTERVAL

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that there is an epoch to count, once the module has logged all it has to log."""
        if trainer.is_last_batch:  # else it was cut short, and is gone on with
            self.ended = trainer, trainer.current_epoch

    def state_dict(self) -> dict[str, Any]:
        """Steps. Lightning asks callbacks for their state before optimisers and schedules."""
        self._step()
        return {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Steps if the epoch before has left no checkpoint."""
        self._step()

    def _step(self) -> None:
        if self.ended is None:
            return
        (trainer, epoch), self.ended = self.ended, None
        for config in trainer.lr_scheduler_configs:
            accuracy = trainer.callback_metrics.get(str(config.monitor))
            due = config.interval == INTERVAL and (epoch + 1) % config.frequency == 0
            if due and accuracy is not None and accuracy is not self.counted:
                self.counted = accuracy
                trainer.lightning_module.lr_scheduler_step(config.scheduler, accuracy)
