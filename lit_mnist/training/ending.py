"""How training ends: how far it has come, which limit or callback ends it, and where."""

from collections.abc import Iterable
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist import trainers
from lit_mnist.runs import early_stopping, limits
from lit_mnist.runs.limits import Progress
from lit_mnist.training.trial_pruning import TrialPruning


def progress(trainer: Trainer) -> Progress:
    """Returns the progress of training; an interrupted epoch does not count as finished."""
    seconds = max(
        (timer.time_elapsed() for timer in trainers.callbacks_of(trainer, Timer)), default=0.0
    )
    return Progress(_begun(trainer) - within_epoch(trainer), trainer.global_step, seconds)


def within_epoch(trainer: Trainer) -> bool:
    """Whether training, which has ended, has left out the rest of an epoch."""
    return _begun(trainer) > 0 and not trainer.is_last_batch


def _begun(trainer: Trainer) -> int:
    return trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined] # Lightning declares its base class


def ended_by(
    trainer: Trainer, config: dict[str, Any], done: Progress, saved: dict[str, Any]
) -> str:
    """Names the option or callback that has ended training with this config.

    EarlyStopping counts even if a limit is reached in the same epoch: raising it has no effect. It
    does not count if it has stopped only once the last checkpoint was saved, of an epoch that a
    limit cuts short: it has seen a part of an epoch, and sees all of it if the limit is raised.

    Args:
        trainer: The trainer.
        config: The run's resolved config.
        done: How far the run has come.
        saved: The last checkpoint of an epoch that is cut short; empty if none is.
    """
    for one in trainers.callbacks_of(trainer, EarlyStopping):
        if has_stopped(one) and _had_stopped(one, saved.get("callbacks", {})):
            return type(one).__name__
    limit = limits.reached(config, done, timers(trainers.callbacks(trainer)))
    if limit:
        return limit.option
    pruned = any(one.stopped_epoch for one in trainers.callbacks_of(trainer, TrialPruning))
    return TrialPruning.__name__ if pruned else "a callback"


def asked_to_stop(trainer: Trainer) -> bool:
    """Whether a callback or the module has asked for a stop by itself.

    EarlyStopping and a Timer ask again after a resume, unless their limit is raised.
    """
    stops = [*map(has_stopped, trainers.callbacks_of(trainer, EarlyStopping))]
    stops += [one.stopped_epoch > 0 for one in trainers.callbacks_of(trainer, TrialPruning)]
    left = [one.time_remaining() for one in trainers.callbacks_of(trainer, Timer)]
    stops += [seconds is not None and seconds <= 0 for seconds in left]
    return trainer.should_stop and not any(stops)


def timers(callbacks: Iterable[Callback]) -> dict[float, str]:
    """Returns the limits of Timer callbacks, in seconds, as in `Ends`."""
    found = [one._duration for one in callbacks if isinstance(one, Timer)]
    return dict.fromkeys([one for one in found if one is not None], "")


def interrupted_by(exception: BaseException) -> str:
    """Names the signal or call that has interrupted training, or calls it an error."""
    if isinstance(exception, SIGTERMException):
        return "SIGTERM"
    if isinstance(exception, SystemExit):
        return "sys.exit"
    return "SIGINT" if isinstance(exception, KeyboardInterrupt) else "an error"


def has_stopped(one: EarlyStopping) -> bool:
    """Whether it has asked to stop, on whatever rank."""
    return early_stopping.has_stopped(EarlyStopping.state_dict(one))


def _had_stopped(one: EarlyStopping, states: dict[str, Any]) -> bool:
    """Whether it had stopped in a checkpoint; unknown ones count."""
    return early_stopping.has_stopped(states.get(one.state_key, {"stopped_epoch": 1}))
