"""A trial of a sweep that is ended early, as others did better by then."""

from collections.abc import Callable

from lightning.pytorch import Callback, LightningModule, Trainer


class TrialPruning(Callback):
    """Tells the validation accuracy after each epoch, and ends training if the answer says so.

    To prune a trial is Optuna's word; Lightning's ModelPruning thins out weights.

    Args:
        hopeless: Is given the epochs that are done and the validation accuracy; whether to end.
    """

    def __init__(self, hopeless: Callable[[int, float], bool]) -> None:
        self.hopeless = hopeless
        self.stopped_epoch = 0  # as EarlyStopping has it

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Asks, if the epoch was validated."""
        score = trainer.callback_metrics.get("val_acc")
        done = trainer.current_epoch + 1
        if score is not None and self.hopeless(done, float(score)):
            self.stopped_epoch = done
            trainer.should_stop = True
