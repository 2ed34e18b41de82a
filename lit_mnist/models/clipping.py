"""Gradient clipping with fused optimisers."""

from lightning.pytorch import Callback, LightningModule, Trainer


class ClipFused(Callback):
    """Makes gradient clipping work with a fused optimiser under mixed precision.

    Lightning refuses the combination, since a fused optimiser can unscale gradients inside its
    step, after clipping (Lightning #17421). If the optimiser is marked as unable to, Lightning
    unscales before it clips; in bfloat16 nothing is scaled. The optimiser's arithmetic is the same.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Marks the optimisers, which exist by now."""
        for optimizer in trainer.optimizers if trainer.gradient_clip_val else ():
            optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined] # of PyTorch's fused ones
