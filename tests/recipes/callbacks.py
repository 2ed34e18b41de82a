"""Callbacks of a user's own."""

import numpy as np
import torch
from lightning.pytorch import Callback


class StopsAtOnce(Callback):
    """Requests a stop before the first batch."""

    def on_train_epoch_start(self, trainer, pl_module):
        trainer.should_stop = True


class Watching(Callback):
    """Prints what other callbacks see."""

    def on_train_epoch_end(self, trainer, pl_module):
        print(f"seen {trainer.current_epoch} {trainer.callback_metrics['train_loss']:.7g}")


class NewOptimizer(Callback):
    """Replaces the optimizer before the second epoch."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            trainer.optimizers = [torch.optim.Adam(pl_module.parameters(), lr=0.005, eps=1e-7)]


class NumpyState(Callback):
    """Saves a NumPy number."""

    def state_dict(self):
        return {"best": np.float64(0.5)}


class OddState(Callback):
    """Saves an object that cannot be loaded."""

    best = object()

    def state_dict(self):
        return {"best": self.best}


class LateOddState(OddState):
    """Has such an object only once it has seen a batch."""

    best = None

    def on_train_batch_end(self, *_):
        self.best = object()


class OwnState(Callback):
    """Counts the saves under a key of its own."""

    def __init__(self, key):
        self.key, self.saves = key, 0

    @property
    def state_key(self):
        return self.key

    def state_dict(self):
        self.saves += 1
        return {"saves": self.saves}

    def load_state_dict(self, state):
        self.saves = state["saves"]


class StopsAResume(Callback):
    """Stops a resumed training before its first batch, as a spent budget of some service would."""

    def on_train_start(self, trainer, pl_module):
        trainer.should_stop = trainer.should_stop or trainer.global_step > 0


class CountsEpochs(Callback):
    """Weights are decayed from the second epoch on, by a count that is saved."""

    def __init__(self):
        self.epochs = 0

    def on_train_epoch_start(self, trainer, pl_module):
        self.epochs += 1
        self.decay = 1 - 0.01 * trainer.current_epoch

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        pl_module.net[-1].bias.data.mul_(self.decay * self.epochs)

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state):
        self.epochs += state["epochs"]


class Saves(Callback):
    """Saves a checkpoint at the end of each validation and of each epoch."""

    def on_validation_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            trainer.save_checkpoint(f"{trainer.global_step}.validated.ckpt")

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint(f"{trainer.global_step}.ended.ckpt")
