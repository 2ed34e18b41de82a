"""Reading checkpoints: nothing in them is ever executed, and what does not fit is refused."""

import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_mnist.errors import UserError


def read(path: Path) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU, with `weights_only=True`.

    Raises:
        UserError: There is no such file, it is damaged, or it holds something else.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; train one with fit, or name another")
    try:
        with warnings.catch_warnings(
            action="ignore"
        ):  # about formats, which we refuse in our words
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its owner") from error
    except Exception as error:  # a damaged file can fail in any layer of zip, pickle and torch
        raise UserError(
            f"{path}: damaged, or no checkpoint of this program; restore it, or train with fit"
        ) from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise UserError(f"{path}: holds no Lightning checkpoint (a dict with a state_dict)")
    return checkpoint


def progress(checkpoint: dict[str, Any]) -> tuple[int, int]:
    """Tells how many epochs were finished, and how many steps of the next one were done."""
    try:
        fit = checkpoint["loops"]["fit_loop"]
        epochs = fit["epoch_progress"]["current"]["processed"]
        place = fit["state_dict"].get("combined_loader", [{}])[0]
    except KeyError:
        return checkpoint["epoch"] + 1, 0
    return epochs, place["step"] if place.get("epoch") == epochs else 0


def check_fits(checkpoint: dict[str, Any], model: nn.Module, path: Path) -> None:
    """Checks that each weight of `model` is there, in its shape, and nothing else.

    Raises:
        UserError: Naming both architectures.
    """
    if shapes(checkpoint["state_dict"]) == shapes(model.state_dict()):
        return
    named = checkpoint.get("hyper_parameters", {}).get("_class_path", "another architecture")
    raise UserError(
        f"{path}: holds weights of {named.rpartition('.')[2]}, which do not fit"
        f" {type(model).__name__}; take the --config that it was trained with"
    )


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """Hashes names, shapes and values, so that equal hashes mean equal networks."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def shapes(weights: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Gives the shape of each weight, by name."""
    return {name: tuple(getattr(value, "shape", ())) for name, value in weights.items()}
