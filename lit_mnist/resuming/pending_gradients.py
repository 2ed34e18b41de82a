"""Preserves gradients that a module's own optimization has not used yet, across a resume."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lit_mnist.machine.patching import overrides
from lit_mnist.machine.ranks import each_fits, of_each_rank
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.runs import checkpoints, entries


class PendingGradients(AfterStart):
    """Saves the gradients in checkpoints if the module decides when to step, and restores them.

    It may step only every few batches, and Lightning does not know where. If Lightning decides,
    `WholeSteps` and `LastCheckpoint` wait for the step.
    """

    def __init__(self) -> None:
        self.loaded: list[dict[str, Any]] = []

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves those of each rank, as a rank may not have shared its own yet."""
        if not _by_hand(pl_module):
            return
        own = {
            name: _saved(one.grad)
            for name, one in pl_module.named_parameters()
            if one.grad is not None
        }
        all_ranks = of_each_rank(trainer, own)
        if any(all_ranks):
            checkpoint[entries.GRADIENTS] = all_ranks

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the gradients until training has started.

        Raises:
            UserError: They are not those of this module.
        """
        if trainer.state.fn != TrainerFn.FITTING or not _by_hand(pl_module):
            return
        self.loaded = entries.get(checkpoint, entries.GRADIENTS, [])
        shapes = {name: one.shape for name, one in pl_module.named_parameters()}
        if not each_fits(self.loaded, shapes.keys(), lambda name, one: _fits(one, shapes[name])):
            fault = "damaged, its gradients do not fit the model"
            checkpoints.refuse(Path(str(trainer.ckpt_path)), fault)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Drops the last epoch's in one without a backward pass, whose only step would use them.

        StochasticWeightAveraging ends a net with batch norm by such an epoch. A resumed run has no
        gradients there, nor has one that was validated.
        """
        if batch_idx == 0 and trainer.fit_loop._skip_backward:
            pl_module.zero_grad()

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's; if the number of ranks has changed, each takes their mean.

        That is what DDP makes of them at the next step in any case.
        """
        ranks = self.loaded
        if len(ranks) == trainer.world_size:
            ranks = ranks[trainer.global_rank :][:1]
        for name, one in pl_module.named_parameters():
            found = [rank[name] for rank in ranks if name in rank]
            if found:
                first, *others = (_gradient(saved, one.shape) for saved in found)
                one.grad = (sum(others, first) / len(ranks)).to(one)
        self.loaded = []


def _by_hand(module: LightningModule) -> bool:
    """Whether the module decides when the optimizers step, or when gradients are set to zero."""
    hooks = ("optimizer_step", "optimizer_zero_grad")
    own = any(overrides(module, LightningModule, hook) for hook in hooks)
    return own or not module.automatic_optimization


def _fits(saved: Any, shape: torch.Size) -> bool:
    with suppress(KeyError, RuntimeError, TypeError, ValueError):  # of what is damaged
        gradient = _gradient(saved, shape)
        return isinstance(gradient, Tensor) and gradient.shape == shape
    return False


def _saved(gradient: Tensor) -> Any:
    """Copies it to the CPU: a sparse one, as nn.Embedding can have, as its two dense parts."""
    own = gradient.detach().to("cpu", copy=True)
    if own.layout != torch.sparse_coo:
        return own
    parts = {"indices": own._indices(), "values": own._values()}
    return parts | {"is_coalesced": own.is_coalesced()}


def _gradient(saved: Any, shape: torch.Size) -> Any:
    """Returns what `_saved` was given, for a weight of this shape."""
    if not isinstance(saved, dict):
        return saved
    coalesced = bool(saved["is_coalesced"])
    return torch.sparse_coo_tensor(
        saved["indices"], saved["values"], shape, is_coalesced=coalesced, check_invariants=True
    )
