"""Averages of weights: resumed when the last is made, saved with the extra state in force."""

import functools
from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging

from lit_mnist.machine.patching import replaced
from lit_mnist.runs.weights import is_extra


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


def extra_state_in_force() -> AbstractContextManager[None]:
    """Has WeightAveraging save an average with the extra state with which it is validated.

    It swaps parameters and buffers alone, so that the module's own extra state stays in force, but
    saves that of its copy, which is of the start (lightning/pytorch/callbacks/weight_averaging.py).
    """
    save = WeightAveraging.on_save_checkpoint

    @functools.wraps(save)
    def with_own(
        self: Any, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        own = {name: one for name, one in checkpoint["state_dict"].items() if is_extra(name)}
        save(self, trainer, pl_module, checkpoint)
        checkpoint["state_dict"].update(own)

    return replaced((WeightAveraging, "on_save_checkpoint", with_own))
