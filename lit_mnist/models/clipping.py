"""Gradient clipping with optimisers whose step is fused."""

from lightning.pytorch import Callback, LightningModule, Trainer


class ClipFused(Callback):
    """Lets the gradients of a fused optimiser be clipped under mixed precision.

    Lightning refuses it, since such an optimiser can undo the loss scaling within its step, after
    the clipping (Lightning #17421). Told that it can't, Lightning undoes the scaling itself, before
    it clips; and in bfloat16 there is none to undo. The optimiser's arithmetic stays as it is.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Runs once there are optimisers."""
        for optimizer in trainer.optimizers if trainer.gradient_clip_val else ():
            optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined] # of PyTorch's fused ones
