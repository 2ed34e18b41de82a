"""The limits at which training ends, and how far a run has come."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from lightning.pytorch.callbacks import Timer

from lit_mnist.runs import checkpoints


class Progress(NamedTuple):
    """How far a run has come."""

    epochs: int = 0  # finished ones
    steps: int = 0  # of the optimizer
    seconds: float = 0.0  # as a time limit counts them

    @classmethod
    def of(cls, checkpoint: dict[str, Any]) -> "Progress":
        """Reads the progress from a checkpoint."""
        epochs, _ = checkpoints.progress(checkpoint)
        return cls(epochs, checkpoint.get("global_step", 0), checkpoints.seconds(checkpoint))


class Limit(NamedTuple):
    """An option that ends training, and its value."""

    option: str
    value: object

    def __str__(self) -> str:
        """Formats it as on the command line."""
        return f"--trainer.{self.option} {self.value}"


def reached(config: dict[str, Any], done: Progress) -> Limit | None:
    """Returns the limit that training has reached; None if it can continue.

    Args:
        config: The run's resolved config.
        done: How far the run has come.
    """
    options = config.get("trainer", {})
    if options.get("limit_train_batches") == 0:
        return Limit("limit_train_batches", 0)
    for option, value in (("max_epochs", done.epochs), ("max_steps", done.steps)):
        limit = options.get(option)
        if limit is not None and 0 <= limit <= value:
            return Limit(option, limit)
    for seconds in () if short_of_minimum(config, done) else _durations(options):
        if seconds <= done.seconds:
            return Limit("max_time", timedelta(seconds=seconds))
    return None


def short_of_minimum(config: dict[str, Any], done: Progress) -> bool:
    """Whether training goes on to `min_epochs` or `min_steps`, whatever asks it to stop.

    Only `max_epochs` and `max_steps` end it before.
    """
    options = config.get("trainer", {})
    steps = options.get("min_steps")
    epochs = options.get("min_epochs")
    if epochs is None:
        epochs = 0 if steps is None else 1  # as Lightning takes it
    return done.epochs < epochs or done.steps < (steps or 0)


def exceeded(config: dict[str, Any], checkpoint: dict[str, Any]) -> list[str]:
    """Lists the limits that a checkpoint has already exceeded."""
    epochs, step = checkpoints.progress(checkpoint)
    counts = {"max_epochs": epochs + (step > 0), "max_steps": checkpoint.get("global_step", 0)}
    limits = {name: config["trainer"].get(name) for name in counts}
    return [
        f"trainer.{name}: {counts[name]} done, now {limit}"
        for name, limit in limits.items()
        if limit is not None and 0 <= limit < counts[name]
    ]


def averages_at_the_end(config: dict[str, Any]) -> bool:
    """Whether weights are averaged after the last epoch, for which an epoch may be added."""
    return bool(_callbacks(config.get("trainer", {}), "StochasticWeightAveraging"))


def _callbacks(options: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    configured = options.get("callbacks") or []
    as_list = configured if isinstance(configured, list) else [configured]
    callbacks = [callback for callback in as_list if isinstance(callback, dict)]
    return [callback for callback in callbacks if str(callback.get("class_path")).endswith(kind)]


def _durations(options: dict[str, Any]) -> Iterator[float]:
    """Yields the time limits, in seconds: of the option, and of Timer callbacks."""
    timers = [
        callback.get("init_args", {}).get("duration") for callback in _callbacks(options, "Timer")
    ]
    for duration in timers or [options.get("max_time")]:  # Lightning takes either
        seconds = Timer(duration)._duration
        if seconds is not None:
            yield seconds
