"""The limits at which training ends, and how far a run has come."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from lightning.pytorch.callbacks import Timer

from lit_mnist.errors import UserError
from lit_mnist.runs import callback_kinds, checkpoints

# What `results.json` may name as the limit that has ended a run
OPTIONS = ("max_epochs", "max_steps", "max_time", "limit_train_batches")


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
    for seconds in () if short_of_minimum(config, done) else _durations(config):
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


def check_effect(raised: list[str], reached_limit: Limit) -> None:
    """Refuses to raise a limit if another one is reached already.

    Args:
        raised: Lines of `config_changes.changes`.
        reached_limit: The limit that is reached.

    Raises:
        UserError: Naming both.
    """
    useless = [
        line for line in raised if line.partition(":")[0] != f"trainer.{reached_limit.option}"
    ]
    if useless:
        raise UserError(
            f"{'; '.join(useless)}: has no effect, as {reached_limit} is reached; raise"
            f" --trainer.{reached_limit.option} instead"
        )


def averages_at_the_end(config: dict[str, Any]) -> bool:
    """Whether weights are averaged after the last epoch, for which an epoch may be added."""
    return bool(callback_kinds.all_of(config, "StochasticWeightAveraging"))


def _durations(config: dict[str, Any]) -> Iterator[float]:
    """Yields the time limits, in seconds: of the option, and of Timer callbacks."""
    timers = [
        (callback.get("init_args") or {}).get("duration")
        for callback in callback_kinds.all_of(config, "Timer")
    ]
    for duration in timers or [config.get("trainer", {}).get("max_time")]:  # Lightning takes either
        seconds = Timer(duration)._duration
        if seconds is not None:
            yield seconds
