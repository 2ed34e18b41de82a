"""Tells where values that are logged by step reach no logger."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import DeviceStatsMonitor, ThroughputMonitor

from lit_mnist import trainers

# Lightning's callbacks that log by step, past `self.log`
_BY_STEP = (DeviceStatsMonitor, ThroughputMonitor)


class StepLogs(Callback):
    """Tells so after the first epoch that is shorter than `log_every_n_steps`.

    Lightning's own hint comes before training (loops/fit_loop.py, `setup_data`), where it is not
    known whether anything is logged by step. This package's modules log by epoch.
    """

    def __init__(self) -> None:
        self.told = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints one line, once."""
        every, batches = trainer.log_every_n_steps, trainer.num_training_batches  # type: ignore[attr-defined] # set in its __init__
        if self.told or not trainer.loggers or batches >= every or not trainer.is_global_zero:
            return
        results = trainer.fit_loop.epoch_loop._results.values()
        names = [one.meta.name for one in results if one.meta.on_step and one.meta.logger]
        names += [
            type(one).__name__ for one in trainers.callbacks(trainer) if isinstance(one, _BY_STEP)
        ]
        if names:
            self.told = True
            logged = ", ".join(dict.fromkeys(names))
            print(
                f"--trainer.log_every_n_steps {every}: an epoch has only {batches} batches, so few"
                f" or no values of {logged} are logged; take {batches} or less"
            )
