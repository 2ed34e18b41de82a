"""A callback that asks for the end of training, logs there, and is interrupted in a hook of it."""

import os

from lightning.pytorch import Callback


class Ends(Callback):
    """Set in the environment: `ASK_AT`, a step, and `STOP_IN`, a hook."""

    def on_train_batch_start(self, *_):
        stop_in("on_train_batch_start")

    def on_train_batch_end(self, trainer, *_):
        if str(trainer.global_step) == os.environ.get("ASK_AT"):
            trainer.should_stop = True

    def on_validation_start(self, trainer, module):
        stop_in("on_validation_start")

    def on_validation_end(self, trainer, module):
        stop_in("on_validation_end")

    def on_train_epoch_end(self, trainer, module):
        stop_in("on_train_epoch_end")
        self.log("at_end", float(trainer.global_step))

    def on_train_end(self, trainer, module):
        stop_in("on_train_end")

    def on_fit_end(self, trainer, module):
        stop_in("on_fit_end")


def stop_in(hook):
    if hook == os.environ.get("STOP_IN"):
        raise KeyboardInterrupt
