"""Preserves buffers that differ between ranks, such as statistics of batch norms."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.machine.ranks import each_fits, of_each_rank
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.runs import checkpoints, entries


class RankBuffers(AfterStart):
    """Saves each rank's buffers that are not those of the first rank, which a checkpoint holds.

    DDP sends the first rank's to the others before a batch, and all are validated with those. It
    does not where gradients wait, nor, in Lightning, under a module's own optimization.
    """

    def __init__(self) -> None:
        self.loaded: list[dict[str, Tensor]] = []

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves those of each rank; the first has none."""
        model = trainer.strategy.model
        if not isinstance(model, DistributedDataParallel) or model.will_sync_module_buffers():
            return
        buffers = pl_module.named_buffers()
        own = {name: one.cpu() for name, one in buffers if name in checkpoint["state_dict"]}
        first, *others = of_each_rank(trainer, own)
        apart = [{}, *(_apart(first, one) for one in others)]
        if any(apart):
            checkpoint[entries.BUFFERS] = apart

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps the buffers until training has started.

        Raises:
            UserError: They are not those of this module.
        """
        if trainer.state.fn != TrainerFn.FITTING:
            return
        self.loaded = entries.get(checkpoint, entries.BUFFERS, [])
        buffers = dict(pl_module.named_buffers())
        if not each_fits(self.loaded, buffers.keys(), lambda name, one: _fits(one, buffers[name])):
            fault = "damaged, its buffers do not fit the model"
            checkpoints.refuse(Path(str(trainer.ckpt_path)), fault)

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores this rank's; if the number of ranks has changed, all go on with the first's."""
        if len(self.loaded) == trainer.world_size:
            own = self.loaded[trainer.global_rank]
            model: Any = trainer.strategy.model
            for name, one in pl_module.named_buffers():
                if name in own:
                    one.copy_(own[name])
            model.require_forward_param_sync = False  # which a new DDP would do at once
        self.loaded = []


def _apart(first: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    same_shape = (name for name in own if own[name].shape == first[name].shape)
    return {name: own[name] for name in same_shape if not torch.equal(own[name], first[name])}


def _fits(saved: Any, buffer: Tensor) -> bool:
    return isinstance(saved, Tensor) and saved.shape == buffer.shape
