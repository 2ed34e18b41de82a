"""Keeps track of frozen layers across a resume."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch.nn.modules.batchnorm import _BatchNorm

_KEY = "frozen"  # in a checkpoint: names of weights, and of batch norms without statistics


class Frozen(Callback):
    """Saves in checkpoints which weights are frozen, and restores that in a resumed run.

    At a resume, BaseFinetuning freezes again all that it froze at the start, even layers that it
    has unfrozen since (lightning/pytorch/callbacks/finetuning.py, `setup`).
    """

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the names of the frozen weights."""
        weights = [name for name, one in pl_module.named_parameters() if not one.requires_grad]
        norms = [name for name, one in _norms(pl_module) if not one.track_running_stats]
        checkpoint[_KEY] = {"weights": weights, "statistics": norms}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Freezes these and no others, after `setup` and before DDP looks for trainable weights."""
        if trainer.state.fn != TrainerFn.FITTING or _KEY not in checkpoint:
            return
        for name, weights in pl_module.named_parameters():
            weights.requires_grad_(name not in checkpoint[_KEY]["weights"])
        for name, norm in _norms(pl_module):
            norm.track_running_stats = name not in checkpoint[_KEY]["statistics"]


def _norms(module: LightningModule) -> list[tuple[str, _BatchNorm]]:
    return [(name, one) for name, one in module.named_modules() if isinstance(one, _BatchNorm)]
