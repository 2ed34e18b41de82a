"""Refuses callbacks that cannot work together, before training begins."""

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import BackboneFinetuning, StochasticWeightAveraging

from lit_mnist import trainers
from lit_mnist.errors import UserError


def check(trainer: Trainer) -> None:
    """Refuses a backbone that is unfrozen when the average of weights has begun.

    Args:
        trainer: The trainer that will train.

    Raises:
        UserError: Naming both callbacks.
    """
    last = trainer.max_epochs or -1
    averages = [
        (_begin(one, last), place)
        for place, one in enumerate(trainers.callbacks(trainer))
        if isinstance(one, StochasticWeightAveraging)
    ]
    for place, one in enumerate(trainers.callbacks(trainer)):
        if isinstance(one, BackboneFinetuning):
            epoch = one.unfreeze_backbone_at_epoch
            reached = last < 0 or epoch < last
            if reached and any((epoch, place) > average for average in averages):
                raise UserError(unfrozen_late(type(one).__name__))


def _begin(averaging: StochasticWeightAveraging, epochs: int) -> int:
    """Returns the epoch that `swa_start` will be, counted from 0."""
    given = averaging._swa_epoch_start
    return max((int(given * epochs) if isinstance(given, float) else given) - 1, 0)


def unfrozen_late(name: str) -> str:
    """Says that weights are unfrozen for which StochasticWeightAveraging has no rate.

    Args:
        name: The callback that unfreezes them.
    """
    return (
        f"--trainer.callbacks: {name} unfreezes weights after StochasticWeightAveraging has begun,"
        " which has no learning rate for them; unfreeze before swa_epoch_start, or leave one out"
    )
