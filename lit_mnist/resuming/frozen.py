"""Keeps track of frozen layers, and of those in evaluation mode: across a resume, and for DDP."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning
from lightning.pytorch.trainer.states import TrainerFn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from lit_mnist import trainers
from lit_mnist.resuming.after_start import AfterStart
from lit_mnist.runs import entries

Names = dict[str, set[str]]  # of weights or layers, by kind


class Frozen(AfterStart):
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
        # What is to be frozen, and what was before, until training has started
        self.loaded: tuple[Names, Names] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Notes for which weights DDP was built."""
        self.averaged = _trained(pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Rebuilds DDP before a batch that trains other weights than the one before."""
        self._inform_ddp(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the names of what is frozen, and of what was before training."""
        now = _frozen(trainer, pl_module)
        checkpoint[entries.FROZEN] = {**now, "before": self.before or now}
        _note_groups(trainer, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keeps what is to be frozen until training has started.

        An optimizer may be made of the weights that are not frozen. At a resume, it has to be made
        of those of which it was made when the run began, or else its state would not fit them.
        """
        saved = entries.get(checkpoint, entries.FROZEN)
        if trainer.state.fn != TrainerFn.FITTING or saved is None:
            return
        names = {kind: {*saved[kind]} for kind in _freezable(pl_module)}
        if trainers.resumes(trainer):
            self.loaded = names, {kind: {*saved["before"][kind]} for kind in saved["before"]}
        else:  # a search ends, of which nothing is to stay
            _restore(pl_module, names, {})

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freezes what was frozen, and nothing else, behind all hooks of the start.

        A layer that the module now freezes or leaves free otherwise than when the run began, as in
        a run that begins with a checkpoint of another, stays as the module has it.
        """
        now = _frozen(trainer, pl_module)
        if self.loaded:
            names, before = self.loaded
            changed = {kind: {*now[kind]} ^ before.get(kind, {*now[kind]}) for kind in now}
            _restore(pl_module, names, changed)
        self.before, self.loaded = now, None
        self._inform_ddp(trainer, pl_module)  # now, as it makes all ranks' buffers the same

    def _inform_ddp(self, trainer: Trainer, module: LightningModule) -> None:
        strategy: Any = trainer.strategy
        if not isinstance(strategy.model, DistributedDataParallel):
            return
        trained = _trained(module)
        if trained != self.averaged:
            self.averaged, strategy.model = trained, module
            _wait(strategy.root_device)
            strategy.configure_ddp()
            _wait(strategy.root_device)


def _restore(module: LightningModule, names: Names, but: Names) -> None:
    """Freezes what is named, and nothing else; leaves some parts as they are."""
    for kind, (attribute, parts) in _freezable(module).items():
        for name in parts.keys() - but.get(kind, set()):
            setattr(parts[name], attribute, name not in names[kind])


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
