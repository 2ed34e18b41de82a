"""Refuses a precision that a module's weights do not survive."""

from lightning.pytorch import LightningModule, Trainer

from lit_mnist.errors import UserError


def check(trainer: Trainer, module: LightningModule) -> None:
    """Refuses to round complex weights to 16 bits: Lightning would drop their imaginary parts.

    Raises:
        UserError: Naming the option, a weight, and the remedy.
    """
    if trainer.precision not in ("bf16-true", "16-true"):
        return
    for name, value in (*module.named_parameters(), *module.named_buffers()):
        if value.is_complex():
            raise UserError(
                f"--trainer.precision {trainer.precision}: would drop the imaginary part of"
                f" {name:.99}; take 32-true"
            )
