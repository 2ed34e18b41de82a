"""What is logged in an epoch: saved, and held until it is logged again after a resume."""

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torchmetrics import Metric

Sums = dict[str, dict[str, Any]]

# Names of the reductions whose sums can be saved
_REDUCTIONS = {"mean": torch.mean, "sum": torch.sum, "max": torch.max, "min": torch.min}
_HELD = "before a resume: "  # begins the hook, and so the key, of what is held
# Arguments of `self.log`, as plain values
_FLAGS = ("fx", "name", "on_step", "on_epoch", "prog_bar", "logger", "metric_attribute")


def of(trainer: Trainer) -> dict[str, Any]:
    """Returns what was logged in the epoch, numbers and metrics, by hook and name."""
    return {
        key: one
        for key, one in trainer.fit_loop.epoch_loop._results.items()
        if one.update_called and not one.has_reset and not key.startswith(_HELD)
    }


def epoch_values(trainer: Trainer) -> dict[str, Tensor]:
    """Returns what Lightning would show if the epoch ended now, by name; all ranks must call it.

    It leaves all as it is: Lightning's own `compute` would be remembered, and would replace counts
    by their sums over the ranks.
    """
    results: Any = trainer.fit_loop.epoch_loop._results
    return {
        results._forked_name(one, False)[0]: _epoch_value(one)
        for one in results.values()
        if one.meta.on_epoch and one.update_called and not one.has_reset
    }


def _epoch_value(result: Any) -> Tensor:
    if not result.is_tensor:
        value: Tensor = result.value.clone().compute()  # some metrics count their computations
        return value
    value = result.meta.sync(result.value.clone())
    if result.meta.is_mean_reduction:
        return value / result.meta.sync(result.cumulated_batch_size.clone())
    return value


def saved(result: Any) -> dict[str, Any]:
    """Returns how a number or a metric was logged, as plain values and tensors, and what.

    Of a number, these are the sums for the epoch, and of both the value of the last step.
    """
    meta, step = result.meta, result._forward_cache
    how = {name: getattr(meta, name) for name in _FLAGS}
    kinds = [name for name in _REDUCTIONS if getattr(meta, f"is_{name}_reduction")]
    sync = meta.sync.should and not meta.sync.rank_zero_only
    how |= {"reduce": kinds[0] if kinds else "mean", "sync": sync}
    sums = states(result) if result.is_tensor and meta.on_epoch else {}
    last = {"step": _copy(step)} if meta.on_step and isinstance(step, Tensor) else {}
    return sums | last | {"how": how}


def hold(trainer: Trainer, key: str, before: dict[str, Any]) -> None:
    """Has Lightning go on with what was logged before a resume, as long as it isn't logged again.

    Lightning logs a value of a step at each step, until the next or the end of the epoch. What is
    held has a key of its own, so that code that has changed may log it in another way. It must be
    held before anything is logged, as of the same names Lightning takes the later.
    """
    module = trainer.lightning_module
    how = dict(before["how"])
    reduce, sync = how.pop("reduce"), how.pop("sync")
    value: Any = before.get("value", before.get("step"))
    if attribute := how.get("metric_attribute"):
        value = dict(module.named_modules()).get(attribute)
    if value is None:  # a metric that is no attribute of the module
        return
    results = trainer.fit_loop.epoch_loop._results
    if isinstance(value, Tensor):
        value = value.to(module.device)
    how |= {"fx": f"{_HELD}{how['fx']}", "reduce_fx": _REDUCTIONS[reduce], "batch_size": 1}
    results.log(**how, value=value, sync_dist_fn=trainer.strategy.reduce)
    result = results[f"{how['fx']}.{how['name']}"]
    result.meta.sync.should = sync  # only now, as the value of the step is synchronised already
    for state in result._defaults.keys() & before.keys():
        setattr(result, state, before[state].to(module.device))
    result._forward_cache = before["step"].to(module.device) if "step" in before else None


def go_on(trainer: Trainer, before: Sums) -> None:
    """Has Lightning add what is logged again to saved sums, in place of what is held of them.

    They are there before the first value: a step may log a name several times, as LBFGS calls its
    closure, and another order of addition would round otherwise. A metric has its own sums already.
    """
    results: Any = trainer.fit_loop.epoch_loop._results
    update = results.update_metrics

    def update_sums(key: str, value: Any, batch_size: int) -> None:
        result = results[key]
        if key in before and not result.update_called:
            for state in result._defaults.keys() & before[key].keys():
                setattr(result, state, before[key][state].to(value.device))
            results.pop(f"{_HELD}{key}", None)
        update(key, value, batch_size)

    results.update_metrics = update_sums


def end(trainer: Trainer) -> None:
    """Undoes `go_on`, as an epoch ends."""
    vars(trainer.fit_loop.epoch_loop._results).pop("update_metrics", None)


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
