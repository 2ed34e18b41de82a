"""Steps of a user's own module, which only a trainer calls, as in `test`.

Elsewhere a network answers as its `evaluate` does, so what such a step scores is something else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_mnist.models.trained import OURS
from lit_mnist.runs import checkpoints

STEPS = ("validation_step", "test_step", "predict_step")


def of(checkpoint: dict[str, Any], path: Path, classes: Sequence[type] = ()) -> list[str]:
    """Returns which of the steps a checkpoint's class overrides; none of ours does.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        path: Its file, for error messages.
        classes: Classes that the user names.

    Raises:
        UserError: Its class is unknown.
    """
    if checkpoints.class_name(checkpoint).partition(".")[0] == OURS:
        return []
    from lit_mnist.models.classes import trained_class  # Lightning
    from lit_mnist.models.scoring import ScoredModule

    kind = trained_class(checkpoint, path, classes)
    return [step for step in STEPS if getattr(kind, step) is not getattr(ScoredModule, step)]


def unused(checkpoint: dict[str, Any], steps: Sequence[str]) -> str:
    """Formats that a class's own steps are not called; empty if there are none."""
    if not steps:
        return ""
    named, verb = " and ".join(steps), "is" if len(steps) == 1 else "are"
    return (
        f"{checkpoints.class_name(checkpoint)}: its own {named} {verb} not called, as its answers"
        " are what `evaluate` returns"
    )
