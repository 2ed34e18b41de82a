"""The optimizers and schedules of a module, built before training begins."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning, StochasticWeightAveraging
from lightning.pytorch.core.optimizer import _configure_optimizers
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch.optim import Optimizer

# Callbacks that replace the module's optimizers or schedules during training
REBUILDERS = (BaseFinetuning, StochasticWeightAveraging)
# Stands for the length of training, which is unknown before the data are: any will do that leaves
# each phase of a schedule a step
_STEPS = 10_000


def optimization(
    trainer: Trainer, model: LightningModule
) -> tuple[list[Optimizer], list[Any] | None]:
    """Builds the optimizers and schedules of a model that has no trainer yet.

    Args:
        trainer: The trainer that will train the model.
        model: The model, which is left unchanged.

    Returns:
        The optimizers, empty if they cannot be known in advance; and the schedules, None if these
        cannot.
    """
    plain = isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy))  # others shard
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
    if not plain or any(isinstance(one, REBUILDERS) for one in callbacks):
        return [], None
    try:
        return _listed(model.configure_optimizers())
    except RuntimeError as error:
        if "not attached to a `Trainer`" not in str(error):
            raise
    return _attached(trainer, model), None  # whose form may depend on the length of training


def _listed(made: Any) -> tuple[list[Optimizer], list[Any]]:
    if made is None:  # nothing is trained
        return [], []
    optimizers, schedules, _ = _configure_optimizers(made)
    return optimizers, [one["scheduler"] if isinstance(one, dict) else one for one in schedules]


def _attached(trainer: Trainer, model: LightningModule) -> list[Optimizer]:
    """Builds the optimizers of a model that needs its trainer; none if that is not possible yet."""
    model.trainer = _StandIn(trainer)  # type: ignore[assignment] # it answers as one
    try:
        return _listed(model.configure_optimizers())[0]
    except Exception:  # what the trainer does not know yet; a mistake comes up again in training
        return []
    finally:
        model.trainer = None


class _StandIn:
    """A stand-in that returns a number of steps, for which the real trainer would load the data."""

    estimated_stepping_batches = _STEPS

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)
