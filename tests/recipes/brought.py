"""Callbacks that a module brings itself."""

from lightning.pytorch.callbacks import (
    EarlyStopping,
    ModelCheckpoint,
    SpikeDetection,
    StochasticWeightAveraging,
    Timer,
)

from lit_mnist.models import DenseModule
from tests.recipes.callbacks import OwnState


class Keeping(DenseModule):
    """Brings callbacks with a state: the best checkpoint by the loss, and a detector of spikes."""

    def configure_callbacks(self):
        return [SpikeDetection(rtol=9.0), ModelCheckpoint(filename="{epoch}", monitor="val_loss")]


class BringsNone(DenseModule):
    """Brings what is no callback."""

    def configure_callbacks(self):
        return [None]


class OwnEntries(DenseModule):
    """Saves entries and states whose names are those of the program's, but for their prefix."""

    names = (
        *("model_class", "model_options", "model_answers", "lacks", "train_scores", "train_logs"),
        *("generators", "frozen", "optimization", "plateaus_due", "spikes_seen", "searched"),
        *("gradients", "batches_validated", "schedules_made"),
    )

    def configure_callbacks(self):
        return [OwnState(name) for name in ("metrics", "best", "last")]

    def on_save_checkpoint(self, checkpoint):
        checkpoint |= {name: f"its own {name}" for name in self.names}

    def on_load_checkpoint(self, checkpoint):
        assert all(checkpoint[name] == f"its own {name}" for name in self.names)


class Timed(DenseModule):
    """Brings a limit of time, which its first epoch uses up."""

    milliseconds = 1

    def configure_callbacks(self):
        limit = {"milliseconds": self.milliseconds}
        return Timer(limit, interval="epoch")


class Patient(DenseModule):
    """Brings a stop by a score that cannot become better."""

    waits = 1  # epochs

    def configure_callbacks(self):
        return EarlyStopping("val_acc", min_delta=2.0, patience=self.waits, mode="max")


class Averaging(DenseModule):
    """Brings an average of weights, which is set at the end of training."""

    def configure_callbacks(self):
        return StochasticWeightAveraging(0.01, swa_epoch_start=1)
