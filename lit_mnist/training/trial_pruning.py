"""Ends a sweep's trial early if other trials did better by then."""

from collections.abc import Callable

from lightning.pytorch import Callback, LightningModule, Trainer


class TrialPruning(Callback):
    """Reports the validation accuracy after each epoch and ends training if the trial is hopeless.

    To prune a trial is Optuna's term; Lightning's ModelPruning prunes weights.

    Args:
        hopeless: Called with the number of finished epochs and the validation accuracy; returns
            whether to end the trial.
    """

    def __init__(self, hopeless: Callable[[int, float], bool]) -> None:
        self.hopeless = hopeless
        self.stopped_epoch = 0  # as EarlyStopping has it

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Calls `hopeless`, if the epoch was validated."""
        score = trainer.callback_metrics.get("val_acc")
        epochs = trainer.current_epoch + 1
        if score is not None and self.hopeless(epochs, float(score)):
            self.stopped_epoch = epochs
            trainer.should_stop = True
