"""How training ends: which limit it has reached, and that it ends where it can be gone on with."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, Timer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from lit_mnist.runs import limits
from lit_mnist.runs.limits import Progress
from lit_mnist.training.trial_pruning import TrialPruning


def progress(trainer: Trainer) -> Progress:
    """Tells how far training has come. An epoch that was cut short is not whole."""
    begun: int = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined] # Lightning declares its base class
    cut_short = begun > 0 and not trainer.is_last_batch
    seconds = max((timer.time_elapsed() for timer in _all(trainer, Timer)), default=0.0)
    return Progress(begun - cut_short, trainer.global_step, seconds)


def ended_by(trainer: Trainer, config: dict[str, Any]) -> str:
    """Names the option or the callback that has ended training with this config."""
    limit = limits.reached(config, progress(trainer))
    if limit:
        return limit.option
    stoppers = [*_all(trainer, EarlyStopping), *_all(trainer, TrialPruning)]
    early = [type(one).__name__ for one in stoppers if one.stopped_epoch]
    return early[0] if early else "a callback"


def interrupted_by(exception: BaseException) -> str:
    """Names the signal that has interrupted training, or says that it was an error."""
    if isinstance(exception, SIGTERMException):
        return "SIGTERM"
    return "SIGINT" if isinstance(exception, KeyboardInterrupt) else "an error"


def ends_within_epoch(trainer: Trainer) -> bool:
    """Whether this step is the last one of training, but not of its epoch."""
    told = trainer.should_stop and trainer.fit_loop._can_stop_early
    enough = 0 <= trainer.max_steps <= trainer.global_step
    return (told or enough) and not trainer.is_last_batch


class WholeSteps(Checkpoint):
    """Lets training end after a step of the optimizer alone.

    While gradients are accumulated, whoever tells it to stop is heeded at the end of that step:
    the gradients are in no checkpoint, and without them the run could not go on to the same bits.
    It is a `Checkpoint` for the order alone: Lightning calls those last, once all others have told.
    """

    def __init__(self) -> None:
        self.told = False

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Holds the stop back, or lets it come about."""
        self._hold(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise, as EarlyStopping tells it here."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._hold(trainer)

    def _hold(self, trainer: Trainer) -> None:
        told = self.told or trainer.should_stop
        self.told = told and trainer.fit_loop._should_accumulate()
        trainer.should_stop = told and not self.told


class OwnPatience(Callback):
    """Lets a run that EarlyStopping has ended go on with more patience.

    EarlyStopping takes its patience from the checkpoint, whatever it was made with.
    """

    def __init__(self) -> None:
        self.patience: dict[EarlyStopping, int] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Notes what the options say, before the checkpoint is read."""
        self.patience = {one: one.patience for one in _all(trainer, EarlyStopping)}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sets it again."""
        for one, patience in self.patience.items():
            one.patience = patience


def _all(trainer: Trainer, kind: type[Any]) -> list[Any]:
    everyone: list[Callback] = trainer.callbacks  # type: ignore[attr-defined] # set in its __init__
    return [one for one in everyone if isinstance(one, kind)]
