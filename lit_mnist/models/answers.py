"""A module's answers to fixed images, by which it is known to compute what it did in training.

A checkpoint names its class. But two projects may each have a `net.py` with a `Net`; a class, or a
function that it calls, may have been changed since; a module may save none of its options. Equal
shapes prove nothing. So a checkpoint also holds how a user's module answers a few fixed images, and
whatever rebuilds the module asks it again. A change that leaves its answers alone, up to 1 % of the
largest logit, does no harm.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from lit_mnist.data.as_batch import as_batch
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.runs import copies, digests, entries
from lit_mnist.shape import CLASSES, SIDE_PX

if TYPE_CHECKING:
    from lit_mnist.models.scoring import ScoredModule

COUNT = 8
# Relative to the largest logit: float32 on a GPU may be TF32, with 10 bits; bfloat16 has 8
_TOLERANCE, _TOLERANCE_16 = 0.01, 0.05
# Packages that our own modules are built of
_NOT_OWN = {"lit_mnist", "torch", "torchmetrics", "lightning", "abc", "typing"}


def images() -> Tensor:
    """Draws the images: white bars on black in eight directions, float (COUNT, 1, 28, 28)."""
    place = torch.linspace(-1, 1, SIDE_PX, dtype=torch.float64)
    angle = torch.arange(COUNT, dtype=torch.float64).view(-1, 1, 1) * torch.pi / COUNT
    across = angle.cos() * place.view(-1, 1) - angle.sin() * place
    along = angle.sin() * place.view(-1, 1) + angle.cos() * place
    bars = torch.exp(-((across / 0.15) ** 2) - (along / 0.7) ** 8)
    return bars.unsqueeze(1).float()


def store(module: "ScoredModule", checkpoint: dict[str, Any]) -> None:
    """Adds a user's module's answers to a checkpoint, if it gives any.

    Args:
        module: The module, which stays as it is.
        checkpoint: What is about to be saved: a callback may have averaged its weights.
    """
    weights = checkpoint.get("state_dict", {})
    logits = asked(module, lambda one: one.load_state_dict(weights, strict=False))
    if logits is not None:
        digest = digests.of_weights(weights)
        checkpoint[entries.MODEL_ANSWERS] = {"logits": logits, "weights_sha256": digest}


def check(checkpoint: Mapping[str, Any], module: "ScoredModule", path: Path) -> None:
    """Refuses weights to a module that does not compute with them what it did in training.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        module: The module, with any weights.
        path: The checkpoint's file, for error messages.

    Raises:
        UserError: `differ` is true of them; names the class.
    """
    kind = type(module)
    if differ(checkpoint, module):
        lacking = (
            ""
            if module.strict_loading
            else " its constructor makes other weights in place of those that it does not save,"
        )
        raise UserError(
            f"{path}: {kind.__module__}.{kind.__qualname__} answers otherwise than in training: its"
            f" code or that of a function it calls has changed,{lacking} it saves not all of its"
            " options, or it is another class of that name; use the one that trained it, or train"
            " again"
        )


def differ(checkpoint: Mapping[str, Any], module: "ScoredModule") -> bool:
    """Returns whether a module, with a checkpoint's weights, answers otherwise than in training.

    Nothing is known, so False, of a module without answers, of checkpoints of older versions, and
    of those whose weights have been replaced since they were asked.
    """
    weights = checkpoint["state_dict"]
    then = _stored(checkpoint)
    if then is None:
        return False

    def restore(one: "ScoredModule") -> None:
        one.on_load_checkpoint({**checkpoint, "state_dict": dict(weights)})
        one.load_state_dict(weights, strict=False)

    now = asked(module, restore)
    if now is None:
        return False
    # Probabilities do not depend on what is added to all logits of an image
    then, now = (one - one.mean(dim=1, keepdim=True) for one in (then, now))
    tolerance = _TOLERANCE_16 if any(map(_is_half, weights.values())) else _TOLERANCE
    return bool((then - now).abs().max() > tolerance * then.abs().max())


def _stored(checkpoint: Mapping[str, Any]) -> Tensor | None:
    """Returns a checkpoint's answers if they are of its weights."""
    known = entries.get(checkpoint, entries.MODEL_ANSWERS)
    if not isinstance(known, dict) or not isinstance(known.get("logits"), Tensor):
        return None
    digest = digests.of_weights(checkpoint["state_dict"])
    is_sound = known["logits"].shape == (COUNT, CLASSES) and known.get("weights_sha256") == digest
    return known["logits"].float() if is_sound else None


def asked(
    module: "ScoredModule",
    prepare: Callable[["ScoredModule"], object] | None = None,
    batch: Batch | None = None,
) -> Tensor | None:
    """Evaluates a copy of a user's module, in eval mode, on `images`.

    Args:
        module: The module, which stays as it is.
        prepare: Called with the copy before it is asked.
        batch: `images` as a batch, which `prepare` may change; None for one of its own.

    Returns:
        Its logits, float32 (COUNT, 10); None for a module of ours, whose code is known, for one
        that shares its weights among processes, that can answer only within a training, or that
        answers differently each time.
    """
    if not any(map(_is_own, module.modules())) or _is_sharded(module):
        return None
    with isolate_rng(include_cuda=torch.cuda.is_initialized()), torch.no_grad():
        try:  # within, as isolate_rng restores nothing after an error
            return _evaluated(module, prepare, batch or as_batch(images().to(module.device)))
        except Exception:  # whatever a user's module may raise
            return None


def _evaluated(
    module: "ScoredModule", prepare: Callable[["ScoredModule"], object] | None, batch: Batch
) -> Tensor | None:
    one = copies.deep(module)  # forward may count, collect, or change a buffer; has no trainer
    one.eval()
    if prepare is not None:
        prepare(one)
    for part in one.modules():
        part._forward_hooks.clear()  # callbacks' own
        vars(part).pop("_compiled_call_impl", None)  # which calls the original
    is_compiled = "torch._dynamo" in sys.modules  # which takes seconds to import
    with torch.compiler.set_stance("force_eager") if is_compiled else nullcontext():
        first, second = one.evaluate(batch), one.evaluate(batch)
    is_answer = first.shape == (COUNT, CLASSES) and bool(first.isfinite().all())
    return first.float().cpu() if is_answer and torch.equal(first, second) else None


def _is_own(part: nn.Module) -> bool:
    """Returns whether a class of a module, or one below it, is a user's."""
    roots = {kind.__module__.partition(".")[0] for kind in type(part).__mro__[:-1]}
    return not roots <= _NOT_OWN


def _is_sharded(module: "ScoredModule") -> bool:
    """Returns whether a process may hold only a part of the weights, so that all had to ask."""
    from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

    whole = (SingleDeviceStrategy, DDPStrategy)  # not DeepSpeed's, which is a kind of DDP's
    return module._trainer is not None and type(module._trainer.strategy) not in whole


def _is_half(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.element_size() == 2
