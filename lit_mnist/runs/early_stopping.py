"""The stops and the patience of EarlyStopping, as a checkpoint holds them and as they are set now.

A checkpoint holds how long each waits now, not how long it has waited before. Less patience is
therefore refused: nobody knows whether it would have ended training earlier.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason as Reason

# The option that has stopped it, if that was not its patience; a rank that was only told to stop
# has no reason
_OPTIONS = {
    Reason.STOPPING_THRESHOLD.value: "stopping_threshold",
    Reason.DIVERGENCE_THRESHOLD.value: "divergence_threshold",
    Reason.NON_FINITE_METRIC.value: "check_finite",
}


class Change(NamedTuple):
    """Another patience than a checkpoint was trained with."""

    key: str  # of the callback, in checkpoints
    before: float
    now: float

    def __str__(self) -> str:
        """Formats it as other options that differ."""
        return f"patience of {self.key}: {self.before}, now {self.now}"


class Stop(NamedTuple):
    """A stop that holds."""

    key: str
    waited: float  # epochs, or validations, without improvement
    option: str  # what has stopped it; empty if that was its patience

    @property
    def name(self) -> str:
        """The callback's class."""
        return self.key.partition("{")[0]


def has_stopped(state: Mapping[str, Any]) -> bool:
    """Whether it has asked to stop: the reason is of the rank that decides, the epoch of all."""
    return bool(state.get("stopped_epoch") or state.get("stopping_reason"))


def goes_on(state: Mapping[str, Any], patience: float) -> bool:
    """Whether this patience undoes a stop."""
    raised = patience > state.get("patience", math.inf)
    waits = state.get("wait_count", math.inf) < patience
    return raised and waits and state.get("stopping_reason") not in _OPTIONS


def changes(checkpoint: Mapping[str, Any], patience: Mapping[str, int]) -> list[Change]:
    """Lists what has another patience than in a checkpoint.

    Args:
        checkpoint: As returned by `checkpoints.read`.
        patience: As in `Ends`.
    """
    states = _states(checkpoint, patience)
    found = [Change(key, state.get("patience", now), now) for key, state, now in states]
    return [one for one in found if one.before != one.now]


def holding(checkpoint: Mapping[str, Any], patience: Mapping[str, int]) -> list[Stop]:
    """Lists the stops in a checkpoint that hold with this patience; arguments as for `changes`."""
    return [
        Stop(key, state.get("wait_count", 0), _OPTIONS.get(state.get("stopping_reason", 0), ""))
        for key, state, now in _states(checkpoint, patience)
        if has_stopped(state) and not goes_on(state, now)
    ]


def remedy(stops: list[Stop]) -> str:
    """Returns how training could go on after these stops; empty if no patience would do it."""
    if not stops or any(one.option for one in stops):
        return ""
    return "give " + " and ".join(f"{one.key} a patience over {one.waited}" for one in stops)


def _states(
    checkpoint: Mapping[str, Any], patience: Mapping[str, int]
) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    states = checkpoint.get("callbacks", {})
    for key, now in patience.items():
        if isinstance(state := states.get(key), dict) and _is_sound(state):
            yield key, state, now


def _is_sound(state: dict[str, Any]) -> bool:
    numbers = ("wait_count", "stopped_epoch", "patience", "stopping_reason")
    return all(isinstance(state.get(name, 0), (int, float)) for name in numbers)
