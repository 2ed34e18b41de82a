"""Refuses a precision that a plugin sets, too, or that a module's weights do not survive."""

import pkgutil
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins import Precision

from lit_mnist.command_line import constructors
from lit_mnist.errors import UserError


def plugin(trainer: Any) -> str:
    """Returns the class of the precision plugin among the parsed options; empty without one.

    Raises:
        UserError: A precision is given beside it.
    """
    named = [one.class_path for one in constructors.listed(trainer.plugins) if "class_path" in one]
    kinds = [pkgutil.resolve_name(one) for one in named]
    found = [one.__name__ for one in kinds if isinstance(one, type) and issubclass(one, Precision)]
    if found and trainer.precision is not None:
        raise UserError(
            f"--trainer.precision {trainer.precision}: --trainer.plugins {found[0]} sets the"
            " precision, too; leave one of them out, or write null for it"
        )
    return found[0] if found else ""


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
