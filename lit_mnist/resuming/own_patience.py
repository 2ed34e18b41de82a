"""Resumes EarlyStopping with the patience that the options set, and with its stop."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from lit_mnist import trainers
from lit_mnist.runs import early_stopping
from lit_mnist.training.ending import has_stopped


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
            if early_stopping.goes_on(EarlyStopping.state_dict(one), patience):
                one.stopped_epoch, one.stopping_reason = 0, EarlyStoppingReason.NOT_STOPPED
                one.stopping_reason_message = None
            one.patience = patience

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tells the trainer again to stop, with a message; not before, or it would not start."""
        for one in filter(has_stopped, self.patience):
            trainer.should_stop = True
            if trainer.is_global_zero:
                why = one.stopping_reason_message or "has asked to stop"
                print(f"{type(one).__name__}, before this resume: {why}")
