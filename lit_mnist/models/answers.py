"""A module's answers to fixed images, by which it is known to compute what it did in training.

A checkpoint names its class. But two projects may each have a `net.py` with a `Net`; a class, or a
function that it calls, may have been changed since; a module may save none of its options. Equal
shapes prove nothing. So a checkpoint also holds how a user's module answers a few fixed images, and
whatever rebuilds the module asks it again. A change that leaves its answers alone does no harm.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn

from lit_mnist.data.as_batch import UNKNOWN
from lit_mnist.data.batches import Batch
from lit_mnist.shape import CLASSES, SIDE_PX

if TYPE_CHECKING:
    from lit_mnist.models.scoring import ScoredModule

KEY = "model_answers"  # in checkpoints: logits, float32 (COUNT, 10)
COUNT = 8
# Relative to the largest logit: float32 on a GPU may be TF32, with 10 bits; bfloat16 has 8
_TOLERANCE, _TOLERANCE_16 = 0.01, 0.05
# Packages that our own modules are built of
_NOT_OWN = {"lit_mnist", "torch", "torchmetrics", "lightning", "abc", "typing"}


class _Reader(nn.Module):
    """Calls `evaluate` where `functional_call` calls `forward`."""

    def __init__(self, module: "ScoredModule") -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        unknown = torch.full((len(images),), UNKNOWN, device=images.device)
        return self.module.evaluate(Batch(images, unknown, unknown, len(images)))


def images() -> Tensor:
    """Draws the images: white bars on black in eight directions, float (COUNT, 1, 28, 28)."""
    place = torch.linspace(-1, 1, SIDE_PX, dtype=torch.float64)
    angle = torch.arange(COUNT, dtype=torch.float64).view(-1, 1, 1) * torch.pi / COUNT
    across = angle.cos() * place.view(-1, 1) - angle.sin() * place
    along = angle.sin() * place.view(-1, 1) + angle.cos() * place
    bars = torch.exp(-((across / 0.15) ** 2) - (along / 0.7) ** 8)
    return bars.unsqueeze(1).float()


def answers(module: "ScoredModule", weights: Mapping[str, Any]) -> Tensor | None:
    """Evaluates a user's module on `images`, leaving it and all generators as they were.

    Args:
        module: The module.
        weights: A `state_dict` to evaluate it with.

    Returns:
        Its logits, float32 (COUNT, 10); None for a module of ours, and if it cannot answer here or
        answers differently each time.
    """
    if not any(map(_is_own, module.modules())):
        return None
    try:
        with _as_in_evaluation(module):
            first, second = _evaluated(module, weights), _evaluated(module, weights)
    except Exception:  # a user's module may need what there is only within training
        return None
    is_answer = first.shape == (COUNT, CLASSES) and bool(first.isfinite().all())
    return first.float().cpu() if is_answer and torch.equal(first, second) else None


def differ(checkpoint: Mapping[str, Any], module: "ScoredModule") -> bool:
    """Returns whether a module, with a checkpoint's weights, answers otherwise than in training.

    Nothing is known, so False, of checkpoints of older versions and of modules without answers.
    """
    then = checkpoint.get(KEY)
    if not isinstance(then, Tensor) or then.shape != (COUNT, CLASSES):
        return False
    weights = {k: v for k, v in checkpoint["state_dict"].items() if isinstance(v, Tensor)}
    halves = {k for k, v in weights.items() if v.is_floating_point() and v.element_size() == 2}
    now = answers(module, {k: v.float() if k in halves else v for k, v in weights.items()})
    if now is None:
        return False
    # Probabilities do not depend on what is added to all logits of an image
    then, now = (one - one.mean(dim=1, keepdim=True) for one in (then.float(), now))
    tolerance = _TOLERANCE_16 if halves else _TOLERANCE
    return bool((then - now).abs().max() > tolerance * then.abs().max())


def _is_own(part: nn.Module) -> bool:
    """Returns whether a class of a module, or one below it, is a user's."""
    roots = {kind.__module__.partition(".")[0] for kind in type(part).__mro__[:-1]}
    return not roots <= _NOT_OWN


@contextmanager
def _as_in_evaluation(module: nn.Module) -> Iterator[None]:
    """Sets eval mode, and makes gradients, generators and compiled graphs none of our business."""
    modes = {part: part.training for part in module.modules()}
    is_compiled = "torch._dynamo" in sys.modules  # which takes seconds to import
    eager = torch.compiler.set_stance("force_eager") if is_compiled else nullcontext()
    try:
        for part in modes:
            part.training = False  # not by `train`, which a user's module may override
        with isolate_rng(include_cuda=torch.cuda.is_initialized()), torch.no_grad(), eager:
            yield
    finally:
        for part, training in modes.items():
            part.training = training


def _evaluated(module: "ScoredModule", weights: Mapping[str, Any]) -> Tensor:
    from torch.func import functional_call  # takes a while to import; our own nets do without

    copies = {  # of buffers, too, which a forward may change in place
        f"module.{name}": value.detach().clone()
        for name, value in weights.items()
        if isinstance(value, Tensor)
    }
    device = next((value.device for value in copies.values()), None)
    given = (images().to(device),)
    return functional_call(_Reader(module), copies, given, tie_weights=False)
