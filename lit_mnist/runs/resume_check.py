"""Whether training can go on from a checkpoint: what it holds beside the weights, looked at first.

Lightning and PyTorch take what they find. An optimizer's state of a wrong shape is not only a
crash: the fused Adam then reads and writes memory that is not its own.
"""

import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import Tensor, nn
from torch.optim import Optimizer

from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import COLUMNS


def fault(checkpoint: dict[str, Any], trainer: Trainer, model: LightningModule) -> str:
    """Tells what keeps training from going on from a checkpoint; empty if nothing does."""
    if checkpoints.shapes(checkpoint["state_dict"]) != checkpoints.shapes(model.state_dict()):
        return "damaged, its weights do not fit the model"
    expected: dict[str, Any] = {"epoch": 0, "global_step": 0, "pytorch-lightning_version": "2.6"}
    expected["loops"] = {"fit_loop": trainer.fit_loop.state_dict()}
    if isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):  # others shard
        with suppress(Exception):  # a user's model may need the trainer to make them
            expected |= _optimization(model.configure_optimizers())
    found = unlike(expected, checkpoint) or _unlike_kept(checkpoint, model)
    if any(row.keys() != set(COLUMNS) for row in checkpoints.history(checkpoint)):
        found = found or "its rows are not those of metrics.csv"
    return f"damaged, {found}" if found else ""


def unlike(expected: Any, found: Any, name: str = "its content") -> str:
    """Tells what a value lacks to be of the expected form; empty if it lacks nothing.

    Keys whose expected value is None or a bool may be missing: libraries add such with time.
    """
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return f"{name} is no dict"
        return _first(_unlike_item(found, key, expected[key], name) for key in expected)
    if isinstance(expected, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(expected):
            return f"{name} has not {len(expected)} items"
        pairs = enumerate(zip(expected, found, strict=True))
        return _first(unlike(one, other, _below(name, place)) for place, (one, other) in pairs)
    if isinstance(expected, Tensor):
        return _unlike_tensor(expected, found, name)
    if isinstance(expected, (int, float)) and not isinstance(expected, bool):
        sound = isinstance(found, (int, float)) and (
            math.isfinite(found) or not math.isfinite(expected)
        )
        return "" if sound else f"{name} is no number"
    same = expected is None or isinstance(found, type(expected))
    return "" if same else f"{name} is no {type(expected).__name__}"


def _unlike_item(found: dict[Any, Any], key: Any, expected: Any, name: str) -> str:
    if key in found:
        return unlike(expected, found[key], _below(name, key))
    may_miss = expected is None or isinstance(expected, bool)
    return "" if may_miss else f"{_below(name, key)} is missing"


def _unlike_tensor(expected: Tensor, found: Any, name: str) -> str:
    if not isinstance(found, Tensor) or found.shape != expected.shape:
        return f"{name} is no tensor {tuple(expected.shape)}"
    if found.is_floating_point() != expected.is_floating_point() or not found.isfinite().all():
        return f"{name} holds no finite numbers"
    return ""


def _optimization(made: Any) -> dict[str, Any]:
    """Gives what a checkpoint holds of the optimizer and the schedule that a model makes."""
    optimizer, schedule = made, None
    if isinstance(made, dict):
        optimizer = made["optimizer"]
        schedule = made.get("lr_scheduler", {}).get("scheduler")
    schedules = [schedule.state_dict()] if schedule else []
    return {"optimizer_states": [_after_a_step(optimizer)], "lr_schedulers": schedules}


def _after_a_step(optimizer: Optimizer) -> dict[str, Any]:
    """Gives the state of an optimizer that has stepped, on zeros instead of its weights."""
    for group in optimizer.param_groups:
        group["params"] = [nn.Parameter(torch.zeros_like(weights)) for weights in group["params"]]
        for weights in group["params"]:
            weights.grad = torch.zeros_like(weights)
    optimizer.step()
    return optimizer.state_dict()


def _unlike_kept(checkpoint: dict[str, Any], model: LightningModule) -> str:
    """Looks at what is kept of an epoch that has not ended."""
    place = checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader")
    found = unlike([{"epoch": 0, "step": 0}], place, "combined_loader") if place else ""
    kept, scores = checkpoint.get("train_scores"), getattr(model, "train_scores", None)
    if found or not kept or scores is None:
        return found
    first = kept[0] if isinstance(kept, list) else None
    ranks = len(first) if isinstance(first, Tensor) and first.ndim == 1 else 1
    return unlike([value.expand(ranks) for value in scores.partial_sums()], kept, "train_scores")


def _below(name: str, key: object) -> str:
    return str(key) if name == "its content" else f"{name}.{key}"


def _first(faults: Iterable[str]) -> str:
    return next(filter(None, faults), "")
