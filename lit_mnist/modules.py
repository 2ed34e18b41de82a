"""The LightningModules: one small subclass an architecture around one training recipe.

The recipe is the notebook's: cross-entropy, Adam as Keras sets it, and the plateau schedule.
"""

from typing import Any

import torch
from jsonargparse.typing import OpenUnitInterval, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim import Adam

from lit_mnist.batches import Batch
from lit_mnist.nets import DeepConv, Dense, SimpleConv
from lit_mnist.plateau import Plateau
from lit_mnist.scoring import RunningScores, ScoredModule
from lit_mnist.workarounds import PlateauBeforeCheckpoint


class ClassifierModule(PlateauBeforeCheckpoint, ScoredModule):
    """Trains and scores one network; a subclass names it in `net_type` and is complete.

    Logs train_loss, train_acc and lr once an epoch, beside what `ScoredModule` logs.

    Args:
        lr: Adam's learning rate, at the start if there is a plateau schedule.
        plateau: Whether to lower the rate when validation accuracy stops rising.
        patience: Epochs without improvement, the last of which lowers the rate (Keras' count).
        factor: What the rate is multiplied by.
        min_lr: The rate is never set below this.
        channels_last: Whether a pixel's channels lie side by side in memory. If it isn't said, fit
            on the command line chooses what is faster on the machine.
        compile: Whether to compile the network with torch.compile: for GPUs; CPUs lose by it.
    """

    net_type: type[nn.Module]

    def __init__(
        self,
        lr: PositiveFloat = 1e-3,
        plateau: bool = False,
        patience: PositiveInt = 3,
        factor: OpenUnitInterval = 0.5,
        min_lr: PositiveFloat = 1e-5,
        channels_last: bool | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = self.net_type()
        if channels_last:
            self.net.to(memory_format=torch.channels_last)
        if compile:
            self.net.compile()  # in place, so that the names in checkpoints stay as they are
        self.train_scores = RunningScores()

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""
        return self.net(images.to(self.dtype))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives the batch's loss, scaled so that the mean over ranks is the mean over images."""
        return self.score(batch, self(batch.images), self.train_scores) / batch.share

    def on_train_epoch_end(self) -> None:
        """Logs the epoch and steps the schedule, before the epoch's checkpoint is written."""
        self.log_scores("train", self.train_scores)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.step_plateau()

    def configure_optimizers(self) -> Any:
        """Gives Adam with Keras' epsilon and, if asked for, the plateau schedule."""
        optimizer = Adam(self.parameters(), lr=self.hparams["lr"], eps=1e-7, fused=True)
        if not self.hparams["plateau"]:
            return optimizer
        options = {name: self.hparams[name] for name in ("patience", "factor", "min_lr")}
        # `strict` off: without validation there is nothing to wait for, and training goes on
        schedule = {"scheduler": Plateau(optimizer, **options), "monitor": "val_acc"}
        return {"optimizer": optimizer, "lr_scheduler": schedule | {"strict": False}}


class DenseModule(ClassifierModule):
    """System 1 of the notebook: two hidden layers (535,818 parameters)."""

    net_type = Dense


class SimpleConvModule(ClassifierModule):
    """Systems 2 to 5: two convolutions and one hidden layer (128,924 parameters)."""

    net_type = SimpleConv


class DeepConvModule(ClassifierModule):
    """System 6: four convolutions and one hidden layer (887,530 parameters)."""

    net_type = DeepConv
