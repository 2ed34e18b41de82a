"""Keeps track of frozen layers, and of those in evaluation mode: across a resume, and for DDP."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning
from lightning.pytorch.trainer.states import TrainerFn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from lit_mnist import trainers
from lit_mnist.runs import entries


class Frozen(Callback):
    """Saves in checkpoints what is frozen, or in evaluation mode, restores it, and informs DDP.

    At a resume, BaseFinetuning freezes again all that it froze at the start, even layers that it
    has unfrozen since (lightning/pytorch/callbacks/finetuning.py, `setup`). A batch norm or a
    dropout that is frozen by `eval()` stays so from epoch to epoch, but no checkpoint says so.
    BaseFinetuning also notes the groups of an optimizer's weights only at the start of an epoch.

    DDP averages the gradients of only those weights that were trainable when it was built. Without
    this, each rank would train a layer that is unfrozen later only on its own images.
    """

    def __init__(self) -> None:
        self.averaged: list[str] = []  # names of the weights whose gradients DDP averages
        self.before: dict[str, list[str]] = {}  # what was frozen before training, or a resume

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes what the module and its callbacks have frozen before training."""
        self.before = self.before or _frozen(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes for which weights DDP was built."""
        self.averaged = _trained(pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Rebuilds DDP before a batch that trains other weights than the one before."""
        strategy: Any = trainer.strategy
        if not isinstance(strategy.model, DistributedDataParallel):
            return
        trained = _trained(pl_module)
        if trained != self.averaged:
            self.averaged, strategy.model = trained, pl_module
            _wait(strategy.root_device)
            strategy.configure_ddp()
            _wait(strategy.root_device)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the names of what is frozen, and of what was before training."""
        checkpoint[entries.FROZEN] = {**_frozen(trainer, pl_module), "before": self.before}
        _note_groups(trainer, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Freezes these and no others, after `setup` and before DDP looks for trainable weights.

        A layer that the module now freezes or leaves free otherwise than when the run began, as in
        a run that begins with a checkpoint of another, stays as the module has it.
        """
        saved = entries.get(checkpoint, entries.FROZEN)
        if trainer.state.fn != TrainerFn.FITTING or saved is None:
            return
        self.before = now = _frozen(trainer, pl_module)
        for kind, (attribute, parts) in _freezable(pl_module).items():
            changed = {*now[kind]} ^ {*saved["before"].get(kind, now[kind])}
            for name in parts.keys() - changed:
                setattr(parts[name], attribute, name not in saved[kind])


def _note_groups(trainer: Trainer, module: LightningModule) -> None:
    """Brings up to date what BaseFinetuning has noted, in the state that is about to be written.

    One that has noted nothing is left as it is: a search saves and loads before training begins.
    So are groups with weights that are not the module's, which have no names.
    """
    names = {weights: name for name, weights in module.named_parameters()}
    for noted in trainers.callbacks_of(trainer, BaseFinetuning):
        known = noted._internal_optimizer_metadata
        for index in known.keys() & set(range(len(trainer.optimizers))):
            groups = trainer.optimizers[index].param_groups
            if all(weights in names for group in groups for weights in group["params"]):
                known[index] = noted._apply_mapping_to_param_groups(groups, names)


def _wait(device: torch.device) -> None:
    """Waits for a GPU, as Lightning builds DDP on a stream that runs beside the training's."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _frozen(trainer: Trainer, module: LightningModule) -> dict[str, list[str]]:
    """Lists the names of frozen weights, batch norms without statistics, and layers in eval mode.

    While all are validated, Lightning remembers in which mode they are trained.
    """
    free = {
        kind: {name: getattr(one, attribute) for name, one in parts.items()}
        for kind, (attribute, parts) in _freezable(module).items()
    }
    if trainer.validating:
        free["evaluating"] |= trainer.fit_loop.epoch_loop.val_loop._module_mode.mode
    return {
        kind: [name for name, is_free in ones.items() if not is_free] for kind, ones in free.items()
    }


def _freezable(module: LightningModule) -> dict[str, tuple[str, dict[str, Any]]]:
    """Returns, by kind, the attribute that is False where something is frozen, and what has it."""
    layers = dict(module.named_modules())
    norms = {name: one for name, one in layers.items() if isinstance(one, _BatchNorm)}
    return {
        "weights": ("requires_grad", dict(module.named_parameters())),
        "statistics": ("track_running_stats", norms),
        "evaluating": ("training", layers),
    }


def _trained(module: LightningModule) -> list[str]:
    return [name for name, weights in module.named_parameters() if weights.requires_grad]
