"""Ends of batches, epochs and training that a module asks for."""

from lit_mnist.models import DenseModule


class AsksToStop(DenseModule):
    """Asks to stop at its fifth batch."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.trainer.should_stop |= batch_idx == 4


class AsksAfterValidation(DenseModule):
    """Asks to stop after its first validation."""

    def on_validation_end(self):
        self.trainer.should_stop = not self.trainer.sanity_checking


class SkipsAnEpoch(DenseModule):
    """Ends its second epoch before the first step."""

    def on_train_batch_start(self, batch, batch_idx):
        return -1 if self.current_epoch == 1 else None


class Halving(DenseModule):
    """Halves a layer's weights at the end of training."""

    def on_train_end(self):
        self.net[1].weight.data.mul_(0.5)
