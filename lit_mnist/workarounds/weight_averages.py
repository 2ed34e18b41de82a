"""StochasticWeightAveraging, resumed when its last average is made."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import StochasticWeightAveraging

from lit_mnist.machine.patching import replaced


def late_averages() -> AbstractContextManager[None]:
    """Resumes a run with StochasticWeightAveraging after the last epoch that it averages.

    With batch norm, another epoch follows. Lightning makes no schedule in it, saves no state of it,
    so that training on would average anew, and fails if it was over already
    (lightning/pytorch/callbacks/stochastic_weight_avg.py, `on_train_epoch_start`, `on_train_end`).
    """
    kind = StochasticWeightAveraging
    start, end, state = kind.on_train_epoch_start, kind.on_train_end, kind.state_dict

    @functools.wraps(start)
    def with_schedule(self: Any, trainer: Trainer, pl_module: LightningModule) -> None:
        if _only_loaded(self) and trainer.current_epoch == self.swa_end + 1:
            before = self._max_epochs, self._latest_update_epoch
            # as if this epoch were averaged, and had been
            self._max_epochs, self._latest_update_epoch = before[0] + 1, trainer.current_epoch
            start(self, trainer, pl_module)
            self._max_epochs, self._latest_update_epoch = before
        start(self, trainer, pl_module)

    @functools.wraps(end)
    def unless_over(self: Any, trainer: Trainer, pl_module: LightningModule) -> None:
        over = self._model_contains_batch_norm and trainer.current_epoch - 1 == self.swa_end + 1
        if not (over and _only_loaded(self)):  # else there is nothing to take back
            end(self, trainer, pl_module)

    @functools.wraps(state)
    def also_loaded(self: Any) -> dict[str, Any]:
        loaded = {"n_averaged": self._init_n_averaged, "scheduler_state": self._scheduler_state}
        return state(self) | (loaded if _only_loaded(self) else {})

    return replaced(
        (kind, "on_train_epoch_start", with_schedule),
        (kind, "on_train_end", unless_over),
        (kind, "state_dict", also_loaded),
    )


def _only_loaded(average: Any) -> bool:
    """Whether it has begun before a resume, and not gone on since."""
    return average._scheduler_state is not None and not average._initialized
