"""The optimizers and schedules that training will have, made before it begins."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning, StochasticWeightAveraging
from lightning.pytorch.core.optimizer import _configure_optimizers
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch.optim import Optimizer

# They give the trainer other optimizers or schedules than the module's while it trains
REBUILDERS = (BaseFinetuning, StochasticWeightAveraging)
# Stands for the length of training, which is unknown before the data are: any will do that leaves
# each phase of a schedule a step
_STEPS = 10_000


def optimization(
    trainer: Trainer, model: LightningModule
) -> tuple[list[Optimizer], list[Any] | None]:
    """Makes the optimizers and schedules of a model that is attached to no trainer yet.

    Args:
        trainer: Which will train it.
        model: The model; it is left as it was.

    Returns:
        No optimizers, or None for the schedules, where they cannot be foreseen.
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
    optimizers, schedules, _ = _configure_optimizers(made)
    return optimizers, [one["scheduler"] if isinstance(one, dict) else one for one in schedules]


def _attached(trainer: Trainer, model: LightningModule) -> list[Optimizer]:
    """Makes the optimizers of a model that asks its trainer; none if it asks for too much."""
    model.trainer = _StandIn(trainer)  # type: ignore[assignment] # it answers as one
    try:
        return _listed(model.configure_optimizers())[0]
    except Exception:  # what the trainer does not know yet; a mistake comes up again in training
        return []
    finally:
        model.trainer = None


class _StandIn:
    """A trainer that tells a number of steps: the true one would read the data for it."""

    estimated_stepping_batches = _STEPS

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)
