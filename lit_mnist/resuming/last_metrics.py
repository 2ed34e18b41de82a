"""Preserves the last value of all that was logged, across a resume."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lit_mnist.machine.ranks import of_each_rank, of_this_rank
from lit_mnist.runs import entries

# Of the trainer's logger connector
PLACES = ("_callback_metrics", "_logged_metrics", "_progress_bar_metrics")


class LastMetrics(Callback):
    """Saves `trainer.callback_metrics` and its like in checkpoints, and restores them.

    Lightning keeps a value there until it is logged again. A schedule or an EarlyStopping whose
    metric is not measured in each epoch reads it, and so may any hook, but no checkpoint has it.
    """

    def __init__(self) -> None:
        self.loaded: list[dict[str, dict[str, Any]]] = []

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves those of each rank: not every value is the mean over all."""
        trainer.callback_metrics, trainer.logged_metrics, trainer.progress_bar_metrics  # noqa: B018 # brings them up to date
        connector = trainer._logger_connector
        own = {place: _saved(getattr(connector, place)) for place in PLACES}
        checkpoint[entries.LAST_METRICS] = of_each_rank(trainer, own)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the values, as Lightning forgets all that is logged before training."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.loaded = list(entries.get(checkpoint, entries.LAST_METRICS, []))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's, before anyone notes which values are older than the epoch.

        If the number of ranks has changed, those of the first, which are the ones that are shown.
        """
        own = of_this_rank(trainer, self.loaded) or {}
        for place in own.keys() & {*PLACES}:
            known = {
                name: one.to(pl_module.device) if isinstance(one, Tensor) else one
                for name, one in own[place].items()
            }
            setattr(trainer._logger_connector, place, known)
        self.loaded = []


def _saved(values: dict[str, Any]) -> dict[str, Any]:
    """Copies what a checkpoint can hold to the CPU, where every rank can read it."""
    return {
        name: one.detach().to("cpu", copy=True) if isinstance(one, Tensor) else one
        for name, one in values.items()
        if isinstance(one, (Tensor, int, float))
    }
