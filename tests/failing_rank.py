"""A module that fails during training, on one rank only."""

import os

from lit_mnist.models.modules import DenseModule


class FailingModule(DenseModule):
    def training_step(self, batch, batch_idx):
        if batch_idx == 20 and self.global_rank == int(os.environ["FAILING_RANK"]):
            raise ZeroDivisionError("a fault of one rank")
        return super().training_step(batch, batch_idx)
