"""Stops a training whose loss is no longer a number."""

from lightning.pytorch import LightningModule, Trainer

from lit_mnist.errors import UserError
from lit_mnist.models.running_scores import RunningScores
from lit_mnist.runs.weights import has_own_hook

# Hooks in which a module may drop a step whose loss is not finite
_MAY_DROP = ("training_step", "on_after_backward", "on_before_optimizer_step", "optimizer_step")


def check_loss(trainer: Trainer, module: LightningModule, scores: RunningScores) -> None:
    """Stops a run whose loss is NaN or infinite, before it reaches a checkpoint.

    Hooks of a user's own may drop a step of such a loss: with them, a weight that is not finite
    stops the run.

    Args:
        trainer: The trainer.
        module: The module.
        scores: Its running scores of the epoch.

    Raises:
        UserError: A loss is not finite; names it, and the step.
    """
    held_out = trainer.callback_metrics.get("val_loss")
    held_out_fails = held_out is not None and not held_out.isfinite()
    if scores.total.isfinite() and not held_out_fails:
        return
    sound = all(bool(one.isfinite().all()) for one in module.parameters())
    if sound and held_out_fails and has_own_hook(module, "validation_step"):
        raise UserError(
            f"val_loss is not a finite number in epoch {trainer.current_epoch}, though all weights"
            " are; correct validation_step; the last good checkpoint is kept"
        )
    if sound and not held_out_fails and any(has_own_hook(module, hook) for hook in _MAY_DROP):
        return
    raise UserError(
        f"the loss is not a finite number from step {int(scores.finite_steps)} of epoch"
        f" {trainer.current_epoch} on; lower --model.lr {module.lr:g}, or take"
        " --trainer.precision 32-true; the last good checkpoint is kept"
    )
