"""The plateau schedule, counted as Keras counts it."""

from typing import Any

from lightning.pytorch import LightningModule
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

# An improvement is more than one image in 10,000 (Keras' min_delta of 1e-4). The threshold lies
# between one and two images, where the rounding of a float cannot decide.
IMPROVEMENT = 1.5e-4


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


class PlateauBeforeCheckpoint(LightningModule):
    """Steps the plateau schedule before the epoch's checkpoint is written.

    Lightning does so afterwards and never makes up for it, so that a resumed run lowers its rate
    an epoch late (Lightning #14699).
    """

    def step_plateau(self) -> None:
        """To be called from `on_train_epoch_end`; without validation there is nothing to do."""
        schedule = self.lr_schedulers()
        accuracy = self.trainer.callback_metrics.get("val_acc")
        if schedule is not None and accuracy is not None:
            schedule.step(accuracy)  # type: ignore[union-attr, arg-type] # there is one schedule

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Keeps Lightning's own call from doing it twice."""
