"""Hooks that only a trainer calls around an evaluation: whether a module's answers depend on them.

Committees, exports and `lit_mnist.load` call a module alone. One that changes its images in a hook,
or swaps in averaged weights as a test starts, would answer otherwise there than in its own test.
"""

from pathlib import Path

import torch
from lightning.pytorch import LightningModule

from lit_mnist import messages
from lit_mnist.data.as_batch import as_batch
from lit_mnist.errors import UserError
from lit_mnist.models import answers
from lit_mnist.models.scoring import ScoredModule

OF_BATCHES = ("on_before_batch_transfer", "on_after_batch_transfer")
STAGES = ("validation", "test", "predict")
STARTS = ("model_eval", "start", "epoch_start", "batch_start")  # as a trainer calls them


def own(kind: type, hooks: tuple[str, ...]) -> list[str]:
    """Returns those of Lightning's hooks that a user's class overrides."""
    return [name for name in hooks if getattr(kind, name) is not getattr(LightningModule, name)]


def refuse_of_batches(kind: type, path: Path | None = None) -> None:
    """Refuses a class that changes its images outside of `forward`.

    Args:
        kind: The class.
        path: The checkpoint's file, for error messages; None before there is one.

    Raises:
        UserError: Naming the hook.
    """
    named = f"{path}: {kind.__name__}" if path else kind.__name__
    for hook in own(kind, OF_BATCHES):
        raise UserError(
            f"{named} changes its batches in {hook}, which a trainer calls;"
            " do it in forward, augmentation under `if self.training`, and keep the weights"
        )


def check_starts(module: ScoredModule, path: Path) -> None:
    """Refuses a module that answers otherwise after the hooks with which an evaluation starts.

    If a hook works only within a trainer, nothing is known, and it is told that it is not called;
    likewise if the module answers differently each time.

    Args:
        module: The module with its weights, on the CPU; it stays as it is.
        path: The checkpoint's file, for error messages.

    Raises:
        UserError: Naming the hooks.
    """
    kind = type(module)
    for stage in STAGES:
        hooks = own(kind, tuple(f"on_{stage}_{start}" for start in STARTS))
        if not hooks:
            continue
        named = f"{path}: {kind.__name__}"
        call = _Calls(hooks)
        before, after = answers.asked(module), answers.asked(module, call, call.batch)
        if call.failed or before is None:
            hook = call.failed or hooks[0]
            messages.warn(f"{named}: its own {hook} is not called, as there is no trainer")
        elif after is None or not torch.allclose(before, after):
            raise UserError(
                f"{named} answers otherwise after its own {' and '.join(hooks)}, which only a"
                " trainer calls; override evaluate instead, and keep the weights"
            )


class _Calls:
    """Calls hooks of a module, up to the first that raises."""

    def __init__(self, hooks: list[str]) -> None:
        self.hooks, self.failed = hooks, ""
        self.batch = as_batch(answers.images())  # which a hook may change in place

    def __call__(self, module: ScoredModule) -> None:
        for hook in self.hooks:
            arguments = (self.batch, 0) if hook.endswith("batch_start") else ()
            try:
                getattr(module, hook)(*arguments)
            except Exception:  # whatever a user's hook may raise without its trainer
                self.failed = hook
                return
