"""Rebuilds a module from its checkpoint: class, hyperparameters and weights.

The file is not trusted: its hyperparameters must be plain values, and a class or function that one
of them names must be imported already.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import instantiate_module
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from lit_mnist.data.as_batch import UNKNOWN
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.models import answers, evaluation_hooks, hyperparameters, lazy
from lit_mnist.models.classes import trained_class
from lit_mnist.models.logits import checked
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import checkpoints
from lit_mnist.runs.weights import makes_layers_late
from lit_mnist.shape import SIDE_PX

_AS_IN_TRAINING = "use the class as it was in training"


def rebuild(checkpoint: dict[str, Any], path: Path, classes: Sequence[type] = ()) -> ScoredModule:
    """Rebuilds the module that was saved in a checkpoint. Draws no random numbers.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        path: Its file, for error messages.
        classes: Classes that the user names.

    Returns:
        The module on the CPU, in eval mode, each weight in the precision of its constructor, as in
        `test`: float32 unless the class says otherwise. One that overrides `evaluate`, inside of
        another whose forward evaluates, as `test` does.

    Raises:
        UserError: Its class is unknown, answers otherwise than in training, does not accept the
            file's hyperparameters or weights, or returns no logits.
    """
    # a module's own hook may change what it loads
    checkpoint = {**checkpoint, "state_dict": dict(checkpoint["state_dict"])}
    kind = trained_class(checkpoint, path, classes)
    evaluation_hooks.refuse_of_batches(kind, path)
    arguments = hyperparameters.arguments(checkpoint, kind, path)
    module = _made(kind, arguments, checkpoint, path)
    checkpoints.check_fits(checkpoint, module, path, _AS_IN_TRAINING)
    with _as_in_training(path, f"does not fit {kind.__name__}"):  # if its layers are made late
        # what a module leaves out of its checkpoints is as its constructor makes it
        module.load_state_dict(checkpoint["state_dict"], strict=module.strict_loading)
    module = module.eval()
    answers.check(checkpoint, module, path)
    evaluation_hooks.check_starts(module, path)
    if type(module).evaluate is not ScoredModule.evaluate:
        module = Evaluating(module).eval()
    _check_answer(module, path)
    return module


@contextmanager
def _as_in_training(path: Path, what: str, more: str = "") -> Iterator[None]:
    """Tells in one line what a user's class has raised, which may be anything.

    Raises:
        UserError: It has raised.
    """
    try:
        yield
    except Exception as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: {what} ({why:.200}); {_AS_IN_TRAINING}{more}") from error


@contextmanager
def _in_float32() -> Iterator[None]:
    """Makes weights in float32, as in training, whatever default the caller's Python has set."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _made(
    kind: type[ScoredModule], arguments: dict[str, Any], checkpoint: dict[str, Any], path: Path
) -> ScoredModule:
    """Instantiates the class, with all of its layers."""
    # all is on the CPU here; CUDA's generators would set up CUDA, which a driver may refuse
    with isolate_rng(include_cuda=False), warnings.catch_warnings(), _in_float32():
        # the module is rebuilt from these very options, so the warning does not apply
        warnings.filterwarnings("ignore", r"Attribute .* is an instance of `nn\.Module`")
        # nor do Lightning's own calls concern a user whose Python makes errors of warnings
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="lightning")
        with _as_in_training(path, f"{kind.__name__} does not take its hyperparameters"):
            module = _instance(kind, arguments)
        with _as_in_training(path, f"{kind.__name__} cannot make its layers"):
            lazy.complete(module)
        with _as_in_training(path, f"{kind.__name__} cannot be set up or loaded"):
            _set_up(module)
            module.on_load_checkpoint(checkpoint)
    return module


def _set_up(module: ScoredModule) -> None:
    """Calls a module's own `setup`, which may make layers.

    What it asks of its trainer is for training. If the forward needs it, its answers tell.
    """
    try:
        if makes_layers_late(module):
            module.setup("predict")
    except RuntimeError as error:
        if "not attached to a `Trainer`" not in str(error):
            raise


class Evaluating(ScoredModule):
    """A user's module that overrides `evaluate`, as what `test` scores: its forward evaluates.

    Args:
        module: The user's, whose own forward may give more than logits.
    """

    def __init__(self, module: ScoredModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""
        count = images.shape[0]  # len() would fix it in an exported graph
        unknown = images.new_full((count,), UNKNOWN, dtype=torch.int64)
        return self.module.evaluate(Batch(images, unknown, unknown, count))


def _check_answer(module: ScoredModule, path: Path) -> None:
    """Runs the module on one image: its own training steps may have unpacked what it returns.

    Raises:
        UserError: Its forward returns no logits.
    """
    named = f"{type(module).__name__} cannot read a single image"
    with (
        _as_in_training(path, named, ", and let forward take any number of images"),
        isolate_rng(include_cuda=False),
        torch.inference_mode(),
    ):
        output = module(torch.zeros(1, 1, SIDE_PX, SIDE_PX, dtype=torch.float32))
    checked(output, 1, module)


def _instance(kind: type[ScoredModule], arguments: dict[str, Any]) -> ScoredModule:
    """Instantiates the class as the command line would, checking values by their declared types."""
    if "<locals>" not in kind.__qualname__:  # has a path by which it can be named
        arguments = {"_class_path": f"{kind.__module__}.{kind.__qualname__}", **arguments}
    return instantiate_module(kind, arguments)
