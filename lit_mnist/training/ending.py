"""How training ends: which limit it has reached, and stopping only where it can be resumed."""

from collections.abc import Iterable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist import trainers
from lit_mnist.runs import early_stopping, limits
from lit_mnist.runs.limits import Progress
from lit_mnist.training.trial_pruning import TrialPruning

_TRAINING = EarlyStoppingReason.NOT_STOPPED


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
        if _has_stopped(one) and _had_stopped(one, saved.get("callbacks", {})):
            return type(one).__name__
    limit = limits.reached(config, done, timers(trainers.callbacks(trainer)))
    if limit:
        return limit.option
    pruned = any(one.stopped_epoch for one in trainers.callbacks_of(trainer, TrialPruning))
    return TrialPruning.__name__ if pruned else "a callback"


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


def ends_within_epoch(trainer: Trainer) -> bool:
    """Whether this step is the last of training but not of its epoch."""
    stopping = trainer.should_stop and trainer.fit_loop._can_stop_early
    enough = 0 <= trainer.max_steps <= trainer.global_step
    return (stopping or enough) and not trainer.is_last_batch


class WholeSteps(Callback):
    """Lets training end only after a complete optimizer step.

    While gradients are being accumulated, a request to stop is delayed until the optimizer steps:
    checkpoints do not hold gradients, and without them a resumed run would differ.
    `module_callbacks` puts it behind all that may ask for a stop.
    """

    def __init__(self) -> None:
        self.stop_delayed = False

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Delays a stop, or lets a delayed one happen."""
        self._hold(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise, as EarlyStopping requests its stop here."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._hold(trainer)

    def _hold(self, trainer: Trainer) -> None:
        stop = self.stop_delayed or trainer.should_stop
        self.stop_delayed = stop and trainer.fit_loop._should_accumulate()
        trainer.should_stop = stop and not self.stop_delayed


class OwnPatience(Callback):
    """Lets a run that EarlyStopping has ended be resumed with more patience, and no other.

    EarlyStopping restores its patience from the checkpoint and so ignores the new option. It also
    restores why it has stopped, but the trainer does not restore that it was told to: a run killed
    on its way to `min_epochs`, or before it could end, would train on beyond.
    """

    def __init__(self) -> None:
        self.patience: dict[EarlyStopping, int] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Notes the patience that the options set, before the checkpoint is loaded."""
        self.patience = {one: one.patience for one in trainers.callbacks_of(trainer, EarlyStopping)}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sets that patience again, for training that goes on."""
        for one, patience in self.patience.items():
            undone = early_stopping.goes_on(EarlyStopping.state_dict(one), patience)
            one.patience = patience
            if undone:
                one.stopped_epoch, one.stopping_reason = 0, _TRAINING
                one.stopping_reason_message = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tells the trainer again to stop, with a message; not before, or it would not start."""
        for one in filter(_has_stopped, self.patience):
            trainer.should_stop = True
            if trainer.is_global_zero:
                why = one.stopping_reason_message or "has asked to stop"
                print(f"{type(one).__name__}, before this resume: {why}")


def _has_stopped(one: EarlyStopping) -> bool:
    return early_stopping.has_stopped(EarlyStopping.state_dict(one))


def _had_stopped(one: EarlyStopping, states: dict[str, Any]) -> bool:
    """Whether it had stopped in a checkpoint; unknown ones count."""
    return early_stopping.has_stopped(states.get(one.state_key, {"stopped_epoch": 1}))


def validates_next(trainer: Trainer) -> bool:
    """Returns whether a validation follows this step; a run resumed from here would skip it."""
    loop = trainer.fit_loop
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)  # type: ignore[arg-type] # there is one while it trains
