"""The sums behind what is logged for an epoch: saved, added to those since, or logged again."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torchmetrics import Metric

Sums = dict[str, dict[str, Any]]

# Names of the reductions whose sums can be saved
_REDUCTIONS = {"mean": torch.mean, "sum": torch.sum, "max": torch.max, "min": torch.min}
_FLAGS = ("fx", "name", "on_step", "prog_bar", "logger", "metric_attribute")  # of `self.log`


def of(trainer: Trainer) -> dict[str, Any]:
    """Returns what is logged for the epoch, numbers and metrics, by hook and name."""
    results = trainer.fit_loop.epoch_loop._results
    return {key: one for key, one in results.items() if one.meta.on_epoch and one.update_called}


def saved(result: Any) -> dict[str, Any]:
    """Returns a number's sums, and how it or a metric was logged, as plain values and tensors."""
    meta = result.meta
    how = {name: getattr(meta, name) for name in _FLAGS}
    kinds = [name for name in _REDUCTIONS if getattr(meta, f"is_{name}_reduction")]
    how |= {"reduce": kinds[0] if kinds else "mean", "sync": meta.sync.should}
    return (states(result) if result.is_tensor else {}) | {"how": how}


def add(result: Any, before: dict[str, Any]) -> None:
    """Adds saved sums to what was logged since; a metric has its own already."""
    join: Any = torch.add
    if result.meta.is_max_reduction or result.meta.is_min_reduction:
        join = torch.maximum if result.meta.is_max_reduction else torch.minimum
    for state in result._defaults.keys() & before.keys():
        since = getattr(result, state)
        setattr(result, state, join(before[state].to(since), since))
    result._computed = None  # drops a cached result


def log_again(trainer: Trainer, key: str, sums: dict[str, Any]) -> None:
    """Logs a number or a metric that was not logged again since the resume.

    In an earlier version, only the name was known of how.
    """
    module = trainer.lightning_module
    how = dict(sums.get("how", {"name": sums.get("name"), "fx": key.partition(".")[0]}))
    reduce, sync, attribute = how.pop("reduce", "mean"), how.pop("sync", False), "metric_attribute"
    value: Any = sums.get("value")
    if value is None:
        value = dict(module.named_modules()).get(how.get(attribute))
    if value is None:  # a metric that is no attribute of the module
        return
    results = trainer.fit_loop.epoch_loop._results
    if isinstance(value, Tensor):
        value = value.to(module.device)
    reduction = {"reduce_fx": _REDUCTIONS[reduce], "sync_dist": sync}
    results.log(**how, value=value, **reduction, sync_dist_fn=trainer.strategy.reduce, batch_size=1)
    result = results[f"{how['fx']}.{how['name']}"]
    for state in result._defaults.keys() & sums.keys():
        setattr(result, state, sums[state].to(module.device))


def states(metric: Metric) -> dict[str, Any]:
    """Copies a metric's states, which are tensors or lists of tensors, to the CPU.

    A GPU's tensors would be unpickled on that GPU by every other rank, if it has so many.
    """
    values = {name: getattr(metric, name) for name in metric._defaults}
    return {
        name: _copy(value) if isinstance(value, Tensor) else [_copy(part) for part in value]
        for name, value in values.items()
    }


def _copy(value: Tensor) -> Tensor:
    return value.detach().to("cpu", copy=True)
