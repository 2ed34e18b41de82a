"""Callbacks that restore something once all hooks of the start of training have been called."""

from lightning.pytorch import Callback, LightningModule, Trainer


class AfterStart(Callback):
    """Has one more hook, which `start_of_epoch` calls.

    A module may draw numbers or reset its metrics in `on_train_start`, which comes after that of
    all callbacks. That belongs to the start of training, not to a resume.
    """

    def after_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called after `on_train_start` of all callbacks and of the module."""
