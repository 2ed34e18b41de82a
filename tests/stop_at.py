"""A user's callback that presses Ctrl-C or tells to stop at a batch, as the environment says."""

import os

from lightning.pytorch import Callback


class StopAt(Callback):
    def __init__(self):
        self.batches = 0

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.batches += 1
        if os.environ.get("STOP_AT") == str(self.batches):
            raise KeyboardInterrupt
        if os.environ.get("STOP_AT") == f"told {self.batches}":
            trainer.should_stop = True

    def on_validation_start(self, trainer, module):
        if os.environ.get("STOP_AT") == "validation":
            raise KeyboardInterrupt
