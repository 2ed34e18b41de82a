"""Rebuilds a module from its checkpoint: class, hyperparameters and weights.

The file is not trusted: its hyperparameters must be plain values, and a class or function that one
of them names must be imported already.
"""

import inspect
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import instantiate_module
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from lit_mnist.data.as_batch import UNKNOWN
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.models import answers, evaluation_hooks, lazy
from lit_mnist.models.classes import public_hyperparameters, trained_class
from lit_mnist.models.logits import checked
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import checkpoints
from lit_mnist.runs.weights import makes_layers_late
from lit_mnist.shape import SIDE_PX

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


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
    kind = trained_class(checkpoint, path, classes)
    evaluation_hooks.refuse_of_batches(kind, path)
    arguments = _arguments(checkpoint, kind, path)
    with _as_in_training(path, f"{kind.__name__} does not take its hyperparameters"):
        module = _made(kind, arguments, checkpoint)
    checkpoints.check_fits(checkpoint, module, path)
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
        raise UserError(
            f"{path}: {what} ({why:.200}); use the class as it was in training{more}"
        ) from error


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
    kind: type[ScoredModule], arguments: dict[str, Any], checkpoint: dict[str, Any]
) -> ScoredModule:
    """Instantiates the class, with all of its layers."""
    # all is on the CPU here; CUDA's generators would set up CUDA, which a driver may refuse
    with isolate_rng(include_cuda=False), warnings.catch_warnings(), _in_float32():
        # the module is rebuilt from these very options, so the warning does not apply
        warnings.filterwarnings("ignore", r"Attribute .* is an instance of `nn\.Module`")
        # nor do Lightning's own calls concern a user whose Python makes errors of warnings
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="lightning")
        module = _instance(kind, arguments)
        lazy.complete(module)
        if makes_layers_late(module):
            module.setup("predict")
        module.on_load_checkpoint(checkpoint)
    return module


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


def _arguments(checkpoint: dict[str, Any], kind: type, path: Path) -> dict[str, Any]:
    """Returns the hyperparameters that the class's `__init__` accepts.

    Raises:
        UserError: One names a class or function that is not imported.
    """
    parameters = inspect.signature(kind).parameters.values()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    names = {parameter.name for parameter in parameters}
    values = {
        k: v for k, v in public_hyperparameters(checkpoint).items() if takes_any or k in names
    }
    for text in _strings(values):
        if _would_import(text):
            raise UserError(
                f"{path}: its hyperparameters name {text:.99}, which is not known here; add"
                f" --model.classes {text:.99} if you trust it"
            )
    if values.get("compile") is True:  # for the speed of training
        values["compile"] = False
    return values


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set)):
        return ()
    return [text for part in value for text in _strings(part)]


def _would_import(text: str) -> bool:
    """Returns whether a text is the dotted name of a module that exists but is not imported."""
    module, root = text.rpartition(".")[0], text.partition(".")[0]
    if not _DOTTED.fullmatch(text) or module in sys.modules:
        return False
    spec = find_spec(root) if root not in sys.modules else None
    # a mere folder, such as that of `weights/` in weights.pt, has no code to run
    return root in sys.modules or (spec is not None and (spec.origin is not None or module != root))


def _instance(kind: type[ScoredModule], arguments: dict[str, Any]) -> ScoredModule:
    """Instantiates the class as the command line would, checking values by their declared types."""
    if "<locals>" not in kind.__qualname__:  # has a path by which it can be named
        arguments = {"_class_path": f"{kind.__module__}.{kind.__qualname__}", **arguments}
    return instantiate_module(kind, arguments)
