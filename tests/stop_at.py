"""A user's callback that presses Ctrl-C at a batch, once, as the environment says."""

import os

from lightning.pytorch import Callback


class StopAt(Callback):
    def __init__(self):
        self.batches = 0

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.batches += 1
        if os.environ.get("STOP_AT") == str(self.batches):
            raise KeyboardInterrupt

    def on_validation_start(self, trainer, module):
        if os.environ.get("STOP_AT") == "validation":
            raise KeyboardInterrupt
