"""The plateau schedule: lowers the learning rate after `patience` epochs, counted as in Keras."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

# An improvement is more than one image in 10,000 (Keras' min_delta of 1e-4). The threshold lies
# between one and two images, where the rounding of a float cannot decide.
IMPROVEMENT = 1.5e-4
# A `frequency` at which Lightning never steps a schedule. Its `interval` stays "epoch", by which
# LearningRateMonitor finds it
NEVER = 1_000_000_000


class Plateau(ReduceLROnPlateau):
    """Lowers the learning rate when validation accuracy has stopped rising.

    With `patience=3`, Keras lowers the rate after the third epoch in a row without improvement,
    PyTorch after the fourth. This class counts as Keras does.

    Args:
        optimizer: The optimizer whose learning rate is lowered.
        patience: Epochs without improvement before the rate is lowered.
        factor: Factor by which the rate is multiplied, in (0, 1).
        min_lr: The rate is never lowered below this.
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
    """Steps `Plateau`, and no other schedule, before the epoch's checkpoint is assembled.

    Lightning steps schedules after saving the checkpoint, so a resumed run would lower its rate an
    epoch late (Lightning #14699). Lightning also counts an epoch without validation as one without
    improvement; here only epochs with a new measurement count, also across a resume.
    """

    def __init__(self) -> None:
        self.ended: int | None = None  # an epoch not counted yet
        self.trainer: Trainer | None = None
        self.counted: dict[object, Tensor] = {}  # the last measurement that each Plateau has seen
        self.loaded: list[bool] = []  # whether each had seen the one in the checkpoint
        self.frequencies: dict[object, int] = {}  # of each Plateau, in epochs

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes over the stepping of the schedule from Lightning."""
        self.trainer, self.counted, self.frequencies = trainer, {}, {}
        for config in trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, Plateau) and config.interval == "epoch":
                self.frequencies[config.scheduler], config.frequency = config.frequency, NEVER
        for (plateau, measured), seen in zip(self._measured(), self.loaded, strict=False):
            if seen and measured is not None:
                self.counted[plateau] = measured
        self.loaded = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes that an epoch has to be counted, once the module has logged its metrics."""
        if trainer.is_last_batch:  # otherwise the epoch was interrupted and will be continued
            self.ended = trainer.current_epoch

    def state_dict(self) -> dict[str, Any]:
        """Steps the schedule: Lightning saves the state of callbacks before that of schedules."""
        self._step()
        return {"counted": [one is self.counted.get(plateau) for plateau, one in self._measured()]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps what each Plateau has seen until training starts."""
        self.loaded = list(state_dict.get("counted", []))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Steps the schedule if no checkpoint was saved in the previous epoch."""
        self._step()

    def _measured(self) -> list[tuple[Plateau, Tensor | None]]:
        """Returns the value that each Plateau monitors, as long as training goes on."""
        if self.trainer is None:
            return []
        known = self.trainer.callback_metrics
        configs = self.trainer.lr_scheduler_configs
        pairs = ((config.scheduler, known.get(str(config.monitor))) for config in configs)
        return [(one, value) for one, value in pairs if isinstance(one, Plateau)]

    def _step(self) -> None:
        if self.ended is None or self.trainer is None:
            return
        epoch, self.ended = self.ended, None
        for plateau, measured in self._measured():
            frequency = self.frequencies.get(plateau)
            due = frequency is not None and (epoch + 1) % frequency == 0
            if due and measured is not None and measured is not self.counted.get(plateau):
                self.counted[plateau] = measured
                mean = mean_over_ranks(self.trainer, measured)
                self.trainer.lightning_module.lr_scheduler_step(plateau, mean)


def mean_over_ranks(trainer: Trainer, metric: Tensor) -> Tensor:
    """Gives a metric's mean over the ranks, which all of them must ask for.

    A module may have logged it without `sync_dist=True`, so that each rank has its own. Ranks that
    lower their rates at different times train different models.
    """
    if trainer.world_size == 1:
        return metric
    own = metric.detach().to(trainer.strategy.root_device, copy=True)  # `reduce` works in place
    return trainer.strategy.reduce(own, reduce_op="mean")
