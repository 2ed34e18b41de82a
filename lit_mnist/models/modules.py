"""The LightningModules: one small subclass an architecture around one training recipe.

The recipe is the notebook's: cross-entropy, Adam as Keras sets it, and the plateau schedule.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from jsonargparse.typing import OpenUnitInterval, PositiveFloat, PositiveInt
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.optim import Adam

from lit_mnist.data.batches import Batch
from lit_mnist.models.clipping import ClipFused
from lit_mnist.models.nets import DeepConv, Dense, SimpleConv
from lit_mnist.models.plateau import Plateau, PlateauBeforeCheckpoint
from lit_mnist.models.scoring import RunningScores, ScoredModule
from lit_mnist.models.train_log import TrainLog

CALLBACKS = (TrainLog, PlateauBeforeCheckpoint, ClipFused)  # that come with every module
Configure = Callable[["ClassifierModule"], Sequence[Callback] | Callback]


def _with_callbacks(configure: Configure) -> Configure:
    """Adds `CALLBACKS` to those that a module's own `configure_callbacks` gives."""

    @wraps(configure)
    def both(self: "ClassifierModule") -> Sequence[Callback]:
        given = configure(self)
        theirs = [given] if isinstance(given, Callback) else list(given or ())
        there = [*theirs, *self.trainer.callbacks]  # type: ignore[attr-defined] # set in its __init__
        missing = [kind for kind in CALLBACKS if not any(type(one) is kind for one in there)]
        return [*(kind() for kind in missing), *theirs]

    return both


class ClassifierModule(ScoredModule):
    """Trains and scores one network; a subclass names it in `net_type` and is complete.

    Logs train_loss, train_acc and lr once an epoch, beside what `ScoredModule` logs. Any hook of
    Lightning's may be overridden without `super()`.

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
        self.save_hyperparameters()  # of a subclass, its own: what it must be built with again
        # As plain numbers: the parser's are of its own types, which no checkpoint may name
        self.lr, self.plateau = float(lr), plateau
        self.patience, self.factor, self.min_lr = int(patience), float(factor), float(min_lr)
        self.net = self.net_type()
        if channels_last:
            self.net.to(memory_format=torch.channels_last)
        if compile:
            self.net.compile()  # in place, so that the names in checkpoints stay as they are
        self.train_scores = RunningScores()
        self.add_scores("train")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Lets a subclass give callbacks of its own without `super()`."""
        super().__init_subclass__(**kwargs)
        cls.configure_callbacks = _with_callbacks(cls.configure_callbacks)  # type: ignore[assignment, method-assign] # of a subclass

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""
        return self.net(images.to(self.dtype))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives the batch's loss, scaled so that the mean over ranks is the mean over images."""
        self.log_scores("train", batch_idx)
        return self.score(batch, self(batch.images), self.train_scores) / batch.loss_divisor

    def configure_optimizers(self) -> Any:
        """Gives Adam with Keras' epsilon and, if asked for, the plateau schedule."""
        optimizer = Adam(self.parameters(), lr=self.lr, eps=1e-7, fused=True)
        if not self.plateau:
            return optimizer
        schedule = Plateau(optimizer, self.patience, self.factor, self.min_lr)
        # `strict` off: without validation there is nothing to wait for, and training goes on
        monitored = {"scheduler": schedule, "monitor": "val_acc", "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": monitored}


class DenseModule(ClassifierModule):
    """System 1 of the notebook: two hidden layers (535,818 parameters)."""

    net_type = Dense


class SimpleConvModule(ClassifierModule):
    """Systems 2 to 5: two convolutions and one hidden layer (128,924 parameters)."""

    net_type = SimpleConv


class DeepConvModule(ClassifierModule):
    """System 6: four convolutions and one hidden layer (887,530 parameters)."""

    net_type = DeepConv
