"""What a user's metrics have counted: copied for a checkpoint, and set again."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers import MetricTracker
from torchmetrics.wrappers.abstract import WrapperMetric

from lit_mnist.logs import logged_sums
from lit_mnist.models.running_scores import RunningScores, Score

_CACHES = ("_computed", "_forward_cache")
_LENGTH = "_length"  # of a MetricTracker, which is a list of metrics


def of(trainer: Trainer, module: LightningModule, epoch_ended: bool) -> dict[str, dict[str, Any]]:
    """Returns the states of a user's metrics that have been updated, and their types, by name.

    A metric casts to its type what it is given. Lightning sets that of half precision only as it
    first logs the metric, in what it calls the forward context, so that the first batch of a
    process would be rounded otherwise.

    Args:
        trainer: The trainer.
        module: The module, whose scores of this package are saved elsewhere.
        epoch_ended: Whether Lightning is about to reset what was logged; it is after a validation.
    """
    results: dict[str, Any] = trainer._results or {} if epoch_ended or trainer.validating else {}
    over = {id(one.value) for one in results.values() if not one.is_tensor}
    found: dict[str, dict[str, Any]] = {}
    for name, one in module.named_modules():
        if isinstance(one, Metric) and not isinstance(one, (RunningScores, Score)):
            updated = one.update_called or isinstance(one, WrapperMetric)  # which count no updates
            found[name] = saved(one) if updated and id(one) not in over else {}
            if one.dtype != torch.get_default_dtype():
                found[name]["_dtype"] = one.dtype
        elif isinstance(one, MetricTracker) and one.n_steps:
            found[name] = {_LENGTH: len(one)}
    return {name: states for name, states in found.items() if states}


def saved(metric: Metric) -> dict[str, Any]:
    """Copies a metric's states, and the tensors and counts that it keeps beside them.

    RunningMean keeps such a count, MinMaxMetric such tensors.
    """
    beside = {
        name: value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value
        for name, value in vars(metric).items()
        if name not in _CACHES
        and (isinstance(value, Tensor) or (type(value) is int and name.startswith("_")))
    }
    return beside | logged_sums.states(metric)


def load(metric: Metric, values: dict[str, Any]) -> None:
    """Sets what `saved` gave."""
    for name, value in values.items():
        if name in metric._defaults and isinstance(value, (list, tuple)):
            setattr(metric, name, [part.to(metric.device) for part in value])
        elif name in metric._defaults or name in vars(metric):
            one = value.to(metric.device) if isinstance(value, Tensor) else value
            setattr(metric, name, one)
    metric._computed = None


def restore(module: LightningModule, found: dict[str, dict[str, Any]]) -> list[str]:
    """Sets what `of` gave; returns the names of those metrics that the module has no more."""
    for name, one in [*module.named_modules()]:
        if isinstance(one, MetricTracker) and _LENGTH in found.get(name, {}):
            set_length(one, found[name][_LENGTH])
    modules = dict(module.named_modules())
    for name, values in found.items():
        metric = modules.get(name)
        if isinstance(metric, Metric):
            load(metric, values)
    return [name for name in found if name not in modules]


def set_length(tracker: MetricTracker, length: int) -> None:
    """Has a tracker hold as many metrics as it did, its base among them."""
    for place in range(length, len(tracker)):  # `del` would rename its base
        delattr(tracker, str(place))
    while len(tracker) < length:
        tracker.increment()
    tracker._increment_called = length > 1
