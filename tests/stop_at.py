"""A callback that presses Ctrl-C, requests a stop, fails or delays, as set in the environment."""

import os
import sys
import time

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
        if os.environ.get("STOP_AT") == f"exit at {self.batches}":
            sys.exit(3)
        if os.environ.get("STOP_AT") == f"error at {self.batches}":
            raise RuntimeError
        if os.environ.get("STOP_AT") == "never, and slowly":
            time.sleep(0.05)

    def on_validation_start(self, trainer, module):
        if os.environ.get("STOP_AT") == "validation":
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer, module):
        if os.environ.get("STOP_AT") == f"end of {trainer.current_epoch}":
            raise KeyboardInterrupt
