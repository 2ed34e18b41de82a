"""Reads checkpoints; nothing in them is ever executed, and malformed ones are refused."""

import math
from pathlib import Path
from typing import Any, TypeGuard

from torch import Tensor, nn

from lit_mnist.errors import UserError
from lit_mnist.runs import digests, entries, safe_torch, trained_on
from lit_mnist.runs.weights import infinite, is_extra, makes_layers_late, misfit

# Entries that are used before Lightning loads the file
KINDS = {
    "epoch": int,
    "global_step": int,
    "hyper_parameters": dict,
    "callbacks": dict,
    "loops": dict,
    trained_on.MODULE: dict,
}
_LACKS = {
    "gradients": "saved between the batches of an accumulated step, without its gradients",
    "end of step": "saved at an error or Ctrl-C, in the middle of a step or a validation",
    "end of epoch": "saved after a batch, before the validation or the epoch's end that follows",
    "masks": "without ModelPruning's masks, so that pruned weights would be trained again",
}


def read(path: Path) -> dict[str, Any]:
    """Loads a checkpoint to the CPU, with `weights_only=True`.

    Raises:
        UserError: The file is missing, damaged, or not a checkpoint.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; train one with fit, or name another")
    try:
        checkpoint = safe_torch.load(path)
    except PermissionError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its owner") from error
    except Exception as error:  # a damaged file can fail in any layer of zip, pickle and torch
        why = f" ({error})" if isinstance(error, safe_torch.RefusedError) else ""
        raise UserError(
            f"{path}: damaged, or no checkpoint of this program{why}; restore it, or train with fit"
        ) from error
    check(path, checkpoint)
    return checkpoint


def check(path: Path, checkpoint: Any) -> None:
    """Checks that a file's content is a checkpoint.

    Raises:
        UserError: It is not.
    """
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise UserError(f"{path}: holds no Lightning checkpoint (a dict with a state_dict)")
    refuse(path, _fault(checkpoint))


def refuse(path: Path, fault: str) -> None:
    """Raises UserError if there is a fault."""
    if fault:
        raise UserError(f"{path}: {fault}; restore it, or take another checkpoint")


def _fault(checkpoint: dict[str, Any]) -> str:
    """Returns what is wrong with a checkpoint's structure or weights; empty if nothing is."""
    for key, kind in KINDS.items():
        if key in checkpoint and not isinstance(checkpoint[key], kind):
            return f"damaged, its {key} is of another type than {kind.__name__}"
    for key in (entries.MODEL_OPTIONS, entries.SEARCHED):
        if not isinstance(entries.get(checkpoint, key, {}), dict):
            return f"damaged, its {key} is no dict"
    if None in (_rows(checkpoint, "rows"), _rows(checkpoint, "cut_short", [])):
        return "damaged, its rows of metrics.csv are invalid"
    for name, value in checkpoint["state_dict"].items():
        if not isinstance(name, str) or not (isinstance(value, Tensor) or is_extra(name)):
            return f"damaged, {name!r:.99} is not a weight"
    return ""


def history(checkpoint: dict[str, Any]) -> list[dict[str, float]]:
    """Returns the rows of `metrics.csv` up to the checkpoint; empty if it holds none."""
    return _rows(checkpoint, "rows") or []


def cut_short(checkpoint: dict[str, Any]) -> list[dict[str, float]]:
    """Returns the row that follows them if training has ended here, within an epoch."""
    return _rows(checkpoint, "cut_short", []) or []


def _rows(checkpoint: dict[str, Any], name: str, missing: Any = None) -> Any:
    state = entries.state(checkpoint, entries.METRICS, {"rows": []})
    found = state.get(name, missing) if isinstance(state, dict) else None
    sound = isinstance(found, list) and all(
        isinstance(row, dict)
        and all(isinstance(key, str) and isinstance(row[key], (int, float)) for key in row)
        for row in found
    )
    return found if sound else None


def scores(checkpoint: dict[str, Any]) -> dict[str, float]:
    """Returns what was measured of exactly these weights; empty if nothing was.

    It is their epoch, val_acc, val_loss and on how many images, as far as that is known.
    """
    state = entries.state(checkpoint, entries.BEST, {})
    measured = state.get("measured") if isinstance(state, dict) else None
    rows = history(checkpoint)
    if measured is None and rows and progress(checkpoint)[1] == 0:  # of version 0.1
        measured = {"step": checkpoint.get("global_step")} | rows[-1]
    if not isinstance(measured, dict) or measured.get("step") != checkpoint.get("global_step"):
        return {}
    saved = entries.get(checkpoint, entries.WEIGHTS)
    if saved not in (None, digests.of_weights(checkpoint["state_dict"])):  # edited since, as pruned
        return {}
    names = ("epoch", "val_acc", "val_loss", "images")
    found = {name: measured[name] for name in names if _is_number(measured.get(name))}
    return found if {"epoch", "val_acc"} <= found.keys() else {}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def seconds(checkpoint: dict[str, Any]) -> float:
    """Returns the duration of training in seconds, as a time limit counts it."""
    states = checkpoint.get("callbacks", {}).values()  # of Lightning's Timer, or one below it
    elapsed = [one.get("time_elapsed") for one in states if isinstance(one, dict)]
    values = [one.get("train") for one in elapsed if isinstance(one, dict)]
    return max((float(value) for value in values if _is_number(value)), default=0.0)


def progress(checkpoint: dict[str, Any]) -> tuple[int, int]:
    """Returns the number of finished epochs, and of finished steps in the next epoch."""
    try:
        fit = checkpoint["loops"]["fit_loop"]
        epochs = fit["epoch_progress"]["current"]["processed"]
        place = fit["state_dict"].get("combined_loader", [{}])[0]
    except KeyError:
        return checkpoint["epoch"] + 1, 0
    return epochs, place["step"] if place.get("epoch") == epochs else 0


def lack(checkpoint: dict[str, Any]) -> str:
    """Returns what the checkpoint lacks for an exact resume; empty if nothing."""
    return _LACKS.get(str(entries.get(checkpoint, entries.LACKS)), "")


def check_fits(
    checkpoint: dict[str, Any],
    model: nn.Module,
    path: Path,
    remedy: str = "take the --config that it was trained with",
) -> None:
    """Checks that a checkpoint has the weights of `model`, in their shapes and finite.

    Args:
        checkpoint: As returned by `read`.
        model: The module or network.
        path: The checkpoint's file, for error messages.
        remedy: What to do about other weights.

    Raises:
        UserError: Naming both architectures, or the weight.
    """
    weights = checkpoint["state_dict"]
    wrong = misfit(weights, model, checkpoint)
    if makes_layers_late(model) or not wrong:
        refuse(path, infinite(weights, model))
        return
    named = class_name(checkpoint) or "another architecture"
    raise UserError(
        f"{path}: holds weights of {ascii(named.rpartition('.')[2])[1:-1]:.99}, which do not fit"
        f" {type(model).__name__}: {wrong}; {remedy}"
    )


def class_name(checkpoint: dict[str, Any]) -> str:
    """Returns the class that a checkpoint names as its module's; empty if it names none."""
    return next(iter(class_names(checkpoint)), "")


def class_names(checkpoint: dict[str, Any]) -> list[str]:
    """Returns the names of a checkpoint's class: as the user called it first, then its own.

    LightningCLI saves `_class_path`, if a module saves its hyperparameters; every run has the entry
    `MODEL_CLASS`, but for those of the oldest versions.
    """
    named = checkpoint.get("hyper_parameters", {}).get("_class_path")
    options = entries.get(checkpoint, entries.MODEL_OPTIONS, {})
    own = entries.get(checkpoint, entries.MODEL_CLASS, "")
    return list(map(str, filter(None, (named, options.get("class_path"), own))))
