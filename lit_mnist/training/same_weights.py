"""Checks that all ranks hold the same weights."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.errors import UserError

# Relative difference of a weight's norms. Rounding differs less, even between kinds of devices;
# a tenth of a learning rate, within one epoch, by more.
TOLERANCE = 1e-4


class SameWeights(Callback):
    """Ends a run whose ranks no longer hold the same weights.

    DDP averages gradients and leaves it to each rank to take the same step with them. If something
    of a user's depends on a rank's own images, such as a rate or a layer that is trained, each rank
    trains a model of its own: validation scores a mixture of them, and checkpoints hold rank 0's.
    """

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks the weights to be scored, and has all ranks score the same buffers."""
        strategy: Any = trainer.strategy
        if trainer.state.fn != "fit" or trainer.sanity_checking or not _averages(strategy):
            return
        _check(pl_module)
        # All score rank 0's buffers; after a batch whose gradients wait, DDP would copy none
        strategy.model.require_forward_param_sync = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks them where no validation does."""
        if _averages(trainer.strategy):
            _check(pl_module)


def _averages(strategy: Any) -> bool:
    """Whether gradients are averaged at each step, not weights now and then."""
    ddp = isinstance(strategy.model, DistributedDataParallel)
    return ddp and getattr(strategy, "_model_averager", None) is None


def _check(module: LightningModule) -> None:
    weights = dict(module.named_parameters())
    norms = torch.stack([one.detach().abs().double().norm() for one in weights.values()])
    highest, lowest = norms.clone(), -norms
    for values in (highest, lowest):
        torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX)
    apart = (highest + lowest > TOLERANCE * highest).tolist()
    for name, differs in zip(weights, apart, strict=True):
        if differs:
            raise UserError(
                f"the ranks' weights have drifted apart (first {name}): each would train a model of"
                " its own; let no rate or schedule, and no change to gradients after the backward"
                " pass, such as noise or a line search, depend on a rank's own images or random"
                " numbers, and unfreeze layers where an epoch starts"
            )
