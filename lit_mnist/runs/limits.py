"""The limits at which training ends, and how far a run has come."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from lightning.pytorch.callbacks import Timer

from lit_mnist.errors import UserError
from lit_mnist.runs import callback_kinds, checkpoints, entries

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
    """An option that ends training, and its value.

    Attributes:
        option: Its name.
        value: Its value.
        place: Where the limit is, if the option is not what sets it.
    """

    option: str
    value: object
    place: str = ""

    def __str__(self) -> str:
        """Formats it as on the command line."""
        return f"{self.name} ({self.value})" if self.place else f"{self.name} {self.value}"

    @property
    def name(self) -> str:
        """What to raise."""
        return self.place or f"--trainer.{self.option}"


class Ends(NamedTuple):
    """What ends training, or acts at its end, beside the options.

    Attributes:
        timers: Limits of all Timer callbacks, in seconds, each with its place; None if unknown.
        acts: Whether a callback or the module acts after the last step, as to average weights.
        patience: That of each EarlyStopping, by its key in checkpoints.
    """

    timers: dict[float, str] | None = None
    acts: bool = False
    patience: dict[str, int] = {}  # noqa: RUF012 # a default, which nothing changes


def reached(
    config: dict[str, Any], done: Progress, timers: dict[float, str] | None = None
) -> Limit | None:
    """Returns the limit that training has reached; None if it can continue.

    Args:
        config: The run's resolved config.
        done: How far the run has come.
        timers: As in `Ends`; if None, those of the config.
    """
    options = config.get("trainer", {})
    if options.get("limit_train_batches") == 0:
        return Limit("limit_train_batches", 0)
    for option, value in (("max_epochs", done.epochs), ("max_steps", done.steps)):
        limit = options.get(option)
        if limit is not None and 0 <= limit <= value:
            return Limit(option, limit)
    known = dict.fromkeys(_durations(config), "") if timers is None else timers
    if short_of_minimum(config, done):
        return None
    by_callback = bool(callback_kinds.all_of(config, "Timer"))  # which replaces the option
    default = "the Timer of --trainer.callbacks" if by_callback else ""
    for seconds, place in known.items():
        if seconds <= done.seconds:
            return Limit("max_time", timedelta(seconds=seconds), place or default)
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


def left_out(checkpoint: dict[str, Any]) -> str:
    """Says that the rest of the last epoch is never trained; empty if that epoch was whole.

    A checkpoint of the weights that a callback or the module sets at the end of training counts
    the epoch in which that is as done: to go on within it would take the weights of before.
    """
    fit = checkpoint.get("loops", {}).get("fit_loop", {})
    batches = fit.get("epoch_loop.batch_progress", {"is_last_batch": True})
    if batches["is_last_batch"] or not entries.get(checkpoint, entries.AT_END):
        return ""
    step = batches["current"]["completed"]
    return f"left at step {step}, as its weights were set at the end of training"


def check_effect(raised: list[str], reached_limit: Limit, left: str = "") -> None:
    """Refuses to raise a limit if another one is reached already.

    Args:
        raised: Lines of `config_changes.changes`.
        reached_limit: The limit that is reached.
        left: As returned by `left_out`.

    Raises:
        UserError: Naming both.
    """
    useful = "" if reached_limit.place else f"trainer.{reached_limit.option}"
    useless = [line for line in raised if line.partition(":")[0] != useful]
    if useless:
        raise UserError(
            f"{'; '.join(useless)}: has no effect, as {reached_limit} is reached"
            f"{left and f' (the last epoch was {left})'}; raise {reached_limit.name} instead"
        )


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
