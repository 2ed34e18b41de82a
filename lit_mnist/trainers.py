"""What a trainer sets in its `__init__` without declaring it, so that mypy does not know it."""

from typing import Any, TypeVar

from lightning.pytorch import Callback, Trainer

Kind = TypeVar("Kind")


def callbacks(trainer: Trainer) -> list[Callback]:
    """Returns a copy of the list of a trainer's callbacks."""
    return list(trainer.callbacks)  # type: ignore[attr-defined] # see above


def callbacks_of(trainer: Trainer, kind: type[Kind]) -> list[Kind]:
    """Returns those of its callbacks that are of a class."""
    return [one for one in callbacks(trainer) if isinstance(one, kind)]


def data_module(trainer: Trainer) -> Any:
    """Returns a trainer's data module; the command line always has one."""
    return trainer.datamodule  # type: ignore[attr-defined] # see above
