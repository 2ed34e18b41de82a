"""A Lightning callback for gpu.py: forbids synchronisation in training steps, reports memory."""

import json
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_mnist.models.train_log import LOOK_EVERY


class Probe(Callback):
    """Makes CUDA refuse every synchronisation from the second step of an epoch to the last but one.

    The first may stop the device, to set itself up, and so may the end of an epoch, which reads the
    scores, and each hundredth step, which looks whether the loss is a number.
    """

    def __init__(self) -> None:
        self.steps = 0

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Sets the mode until the next step begins, including the transfer of its batch."""
        looks = (batch_idx + 1) % LOOK_EVERY == 0
        guarded = 1 <= batch_idx <= int(trainer.num_training_batches) - 2 and not looks
        torch.cuda.set_sync_debug_mode("error" if guarded else "default")
        self.steps += guarded

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Allows synchronisation during clean-up, so that this error is the one reported."""
        torch.cuda.set_sync_debug_mode("default")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the results as one line of JSON."""
        peak_gib = torch.cuda.max_memory_allocated() / 2**30
        print(json.dumps({"steps_without_sync": self.steps, "peak_gib": peak_gib}), flush=True)
