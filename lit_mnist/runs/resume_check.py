"""Checks that training can be resumed from a checkpoint, by all that it holds beside the weights.

Lightning and PyTorch do not check. Optimizer state of a wrong shape is worse than a crash: fused
Adam then reads and writes out of bounds.
"""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.optim import Adam, Optimizer

from lit_mnist.runs import checkpoints, entries, known_states
from lit_mnist.runs.folder import COLUMNS
from lit_mnist.runs.optimization import (
    kinds,
    known_groups,
    optimization,
    other_groups,
    other_kinds,
)
from lit_mnist.runs.version_0_1 import named_sums
from lit_mnist.runs.weights import infinite, makes_layers_late, misfit


def other(checkpoint: dict[str, Any], trainer: Trainer, model: LightningModule) -> str:
    """Returns how a sound checkpoint's optimizers are others than the model makes; empty if not.

    The model's code may have changed since, or training itself may have changed its optimizers.
    """
    if makes_layers_late(model) and misfit(checkpoint["state_dict"], model, checkpoint):
        return ""
    optimizers, schedules = optimization(trainer, model)
    # What hooks make of the groups shows when Lightning loads the states, which may be refused then
    known = optimizers if known_groups(trainer, model) else []
    return _other_kinds(checkpoint, optimizers, schedules) or _other_groups(checkpoint, known)


def _other_kinds(
    checkpoint: dict[str, Any], optimizers: list[Optimizer], schedules: list[Any] | None
) -> str:
    made = kinds(optimizers or None, schedules)
    return other_kinds(entries.get(checkpoint, entries.KINDS), made)


def _other_groups(checkpoint: dict[str, Any], optimizers: list[Optimizer]) -> str:
    return other_groups(checkpoint.get("optimizer_states"), optimizers)


def fault(checkpoint: dict[str, Any], trainer: Trainer, model: LightningModule) -> str:
    """Returns what is wrong with a checkpoint for resuming; empty if nothing is.

    Optimizers are only compared if they are those that the model makes: see `other`.
    """
    if "optimizer_states" not in checkpoint:
        return "holds weights only, not the state needed to resume training"
    names = ("state_dict", "current_model_state")  # the latter: beside an average
    kept = [checkpoint[name] for name in names if name in checkpoint]
    if wrong := _first(_wrong_weights(weights, model, checkpoint) for weights in kept):
        return wrong
    late = makes_layers_late(model) and any(misfit(one, model, checkpoint) for one in kept)
    optimizers, schedules = ([], None) if late else optimization(trainer, model)
    if _other_kinds(checkpoint, optimizers, schedules) or _other_groups(checkpoint, optimizers):
        optimizers = []
    found = (
        unlike(_expected(trainer, optimizers, schedules), checkpoint)
        or _unlike_partial(checkpoint, model)
        or _first(
            _unlike_moments(one, checkpoint["optimizer_states"][place], f"optimizer_states.{place}")
            for place, one in enumerate(optimizers)
        )
    )
    if not all(row.keys() >= set(COLUMNS) for row in checkpoints.history(checkpoint)):
        found = found or "its rows are not those of metrics.csv"
    return f"damaged, {found}" if found else ""


def _wrong_weights(weights: dict[str, Any], model: LightningModule, checkpoint: Any) -> str:
    wrong = misfit(weights, model, checkpoint)
    if wrong and not makes_layers_late(model):
        return f"its weights do not fit the model: {wrong}"
    return infinite(weights, model)


def _expected(trainer: Trainer, optimizers: list[Optimizer], schedules: Any) -> dict[str, Any]:
    """Returns the structure of a checkpoint; without optimizers, those are not known in advance."""
    known = optimizers and schedules is not None
    return {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": "2.6",
        "loops": {"fit_loop": trainer.fit_loop.state_dict()},
        "optimizer_states": [*map(known_states.of_groups, optimizers)] or None,
        "lr_schedulers": [*map(known_states.of_schedule, schedules or ())] if known else None,
    }


def unlike(expected: Any, found: Any, name: str = "its content") -> str:
    """Returns how a value differs from the expected structure; empty if it does not.

    Keys whose expected value is None or a bool may be missing: new library versions add such keys.
    """
    if isinstance(expected, np.generic):
        expected = expected.item()  # as `plain` has stored it
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return f"{name} is not a dict"
        if isinstance(expected, Counter):  # milestones; resuming/schedule_lengths.py compares them
            return ""
        return _first(_unlike_item(found, key, expected[key], name) for key in expected)
    if isinstance(expected, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(expected):
            return f"{name} does not have {len(expected)} items"
        pairs = enumerate(zip(expected, found, strict=True))
        return _first(unlike(one, other, _below(name, place)) for place, (one, other) in pairs)
    if isinstance(expected, Tensor):
        return _unlike_tensor(expected, found, name)
    if isinstance(expected, (int, float)) and not isinstance(expected, bool):
        sound = isinstance(found, (int, float)) and (
            math.isfinite(found) or not math.isfinite(expected)
        )
        return "" if sound else f"{name} is not a number"
    matches = expected is None or isinstance(found, type(expected))
    return "" if matches else f"{name} is not of type {type(expected).__name__}"


def _unlike_item(found: dict[Any, Any], key: Any, expected: Any, name: str) -> str:
    if key in found:
        return unlike(expected, found[key], _below(name, key))
    may_miss = expected is None or isinstance(expected, bool)
    return "" if may_miss else f"{_below(name, key)} is missing"


def _unlike_tensor(expected: Tensor, found: Any, name: str) -> str:
    if not isinstance(found, Tensor) or found.shape != expected.shape:
        return f"{name} is not a tensor {tuple(expected.shape)}"
    if found.is_floating_point() != expected.is_floating_point() or not found.isfinite().all():
        return f"{name} holds no finite numbers"
    return ""


def _unlike_moments(optimizer: Optimizer, found: dict[str, Any], name: str) -> str:
    """Checks an optimizer's state of each weight that it has stepped.

    A weight that is frozen, or that no loss depends on, has no state.
    """
    known = known_states.is_known(optimizer)
    if not known and not (isinstance(optimizer, Adam) and "param_groups" in found):
        return ""
    states, groups = found.get("state", {}), found.get("param_groups", [])
    if not isinstance(states, dict):
        return f"{name}.state is not a dict"
    stepped = [
        (f"{name}.state.{key}", states[key], known_states.of_moments(optimizer, group, weights))
        for group, current in zip(groups, optimizer.param_groups, strict=True)
        for key, weights in zip(group["params"], current["params"], strict=True)
        if key in states
    ]
    return _first(
        unlike(expected, state, place) or (_not_finite(state, place) if known else "")
        for place, state, expected in stepped
    )


def _not_finite(state: dict[str, Any], name: str) -> str:
    numbers = {key: value for key, value in state.items() if isinstance(value, (Tensor, float))}
    return _first(
        f"{name}.{key} holds no finite numbers"
        for key, value in numbers.items()
        if not (value.isfinite().all() if isinstance(value, Tensor) else math.isfinite(value))
    )


def _unlike_partial(checkpoint: dict[str, Any], model: LightningModule) -> str:
    """Checks the partial sums of an unfinished epoch."""
    place = checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader")
    found = unlike([{"epoch": 0, "step": 0}], place, "combined_loader") if place else ""
    kept, scores = entries.get(checkpoint, entries.SCORES), getattr(model, "train_scores", None)
    if found or not kept or scores is None:
        return found
    sums = scores.partial_sums()
    if isinstance(kept, list):
        kept = named_sums(kept)
        sums.pop("unanswered")  # which version 0.1 did not have
    first = kept.get("count") if isinstance(kept, dict) else None
    ranks = len(first) if isinstance(first, Tensor) and first.ndim == 1 else 1
    return unlike({name: value.expand(ranks) for name, value in sums.items()}, kept, "train_scores")


def _below(name: str, key: object) -> str:
    return str(key) if name == "its content" else f"{name}.{key}"


def _first(faults: Iterable[str]) -> str:
    return next(filter(None, faults), "")
