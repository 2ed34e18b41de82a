"""The LightningModules: one training recipe, and a small subclass per architecture.

The recipe is the notebook's: cross-entropy, Adam with Keras' defaults, and the plateau schedule or,
in its place, a one-cycle schedule.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from typing import Any

import torch
from jsonargparse.typing import NonNegativeInt, OpenUnitInterval, PositiveFloat, PositiveInt
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.optim import Adam

from lit_mnist.data.as_batch import as_batch
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.models.clipping import ClipFused
from lit_mnist.models.conv_net import ConvNet
from lit_mnist.models.lazy import unsized
from lit_mnist.models.logits import checked
from lit_mnist.models.nets import DeepConv, Dense, SimpleConv
from lit_mnist.models.one_cycle import OneCycle
from lit_mnist.models.plateau import Plateau, PlateauBeforeCheckpoint
from lit_mnist.models.running_scores import RunningScores
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.models.shifts import average_over_shifts
from lit_mnist.models.train_log import TrainLog

CALLBACKS = (TrainLog, PlateauBeforeCheckpoint, ClipFused)  # that come with every module
Configure = Callable[["ClassifierModule"], Sequence[Callback] | Callback | None]


def _with_callbacks(configure: Configure) -> Configure:
    """Adds `CALLBACKS` to those that a module's own `configure_callbacks` returns."""

    @wraps(configure)
    def both(self: "ClassifierModule") -> Sequence[Callback]:
        configured = configure(self) or ()
        own = list(configured) if isinstance(configured, Iterable) else [configured]
        present = [*own, *self.trainer.callbacks]  # type: ignore[attr-defined] # set in its __init__
        missing = [kind for kind in CALLBACKS if not any(type(one) is kind for one in present)]
        return [*(kind() for kind in missing), *own]

    return both


class ClassifierModule(ScoredModule):
    """Trains and scores one network; a subclass names it in `net_type` and is complete.

    Logs train_loss, train_acc and lr once an epoch, beside what `ScoredModule` logs. Any hook of
    Lightning's may be overridden without `super()`.

    Args:
        lr: Adam's learning rate: the initial rate of a plateau schedule, the peak of one cycle.
        plateau: Whether to lower the rate when validation accuracy stops rising.
        patience: Epochs without improvement before the rate is lowered, counted as in Keras.
        factor: Factor by which the rate is multiplied.
        min_lr: The rate is never lowered below this.
        one_cycle: Whether the rate rises and falls once, step by step, over the training that
            --trainer.max_epochs or --trainer.max_steps sets; a higher limit has a longer cycle.
        channels_last: Whether to use the channels-last memory format. If it is left out, `fit` on
            the command line chooses the faster format for the machine.
        compile: Whether to compile the network with torch.compile. It made all three networks
            slower on two cores, and the deep one on an H100; it may pay for larger ones.
        shifts: Whether to average predictions over five copies of the image, shifted by up to one
            pixel; not while training.
    """

    net_type: Callable[[], nn.Module]  # the net's class, or a factory made from a module's options

    def __init__(
        self,
        lr: PositiveFloat = 1e-3,
        plateau: bool = False,
        patience: PositiveInt = 3,
        factor: OpenUnitInterval = 0.5,
        min_lr: PositiveFloat = 1e-5,
        one_cycle: bool = False,
        channels_last: bool | None = None,
        compile: bool = False,
        shifts: bool = False,
    ) -> None:
        super().__init__()
        if plateau and one_cycle:
            raise UserError("--model.plateau, --model.one_cycle: two schedules; give one of them")
        self.save_hyperparameters()  # of a subclass, its own: what it must be built with again
        # As plain numbers: the parser's are of its own types, which no checkpoint may name
        self.lr, self.plateau, self.one_cycle = float(lr), plateau, one_cycle
        self.patience, self.factor, self.min_lr = int(patience), float(factor), float(min_lr)
        self.shifts, self._layout = shifts, (channels_last, compile)
        if not hasattr(self, "net_type"):
            name = f"{type(self).__module__}.{type(self).__qualname__}"
            raise UserError(f"{name}: name its net in net_type, as `net_type = MyNet`")
        self.net = self.net_type()
        if not unsized(self.net):
            self.lay_out()
        self.train_scores = RunningScores()
        self.add_scores("train")

    def lay_out(self) -> None:
        """Applies the memory format and compiles."""
        channels_last, compiled = self._layout
        if channels_last:
            self.net.to(memory_format=torch.channels_last)
        if compiled:
            self.net.compile()  # in place, so that the names in checkpoints stay as they are

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Lets a subclass override `configure_callbacks` without calling `super()`."""
        super().__init_subclass__(**kwargs)
        cls.configure_callbacks = _with_callbacks(cls.configure_callbacks)  # type: ignore[assignment, method-assign] # of a subclass

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""
        images = images.to(self.dtype)
        if self.training or not self.shifts:
            return self.net(images)
        count = images.shape[0]  # not len(), a constant to torch.export
        return average_over_shifts(lambda view: checked(self.net(view), count, self), images)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the batch's loss, scaled so that its mean over ranks is the mean over images."""
        batch = as_batch(batch)
        self.log_scores("train", batch_idx)
        return self.score(batch, self(batch.images), self.train_scores) / batch.loss_divisor

    def configure_optimizers(self) -> Any:
        """Returns Adam with Keras' epsilon and, if chosen, a schedule."""
        weights = list(self.parameters())
        fused = all(map(torch.is_floating_point, weights))  # no fused kernel takes others
        optimizer = Adam(weights, lr=self.lr, eps=1e-7, fused=fused)
        if self.one_cycle:
            cycle = OneCycle(optimizer, self.lr, self._steps_of_run())
            by_step = {"scheduler": cycle, "interval": "step"}
            return {"optimizer": optimizer, "lr_scheduler": by_step}
        if not self.plateau:
            return optimizer
        schedule = Plateau(optimizer, self.patience, self.factor, self.min_lr)
        # not `strict`: without validation, training continues at a constant rate
        monitored = {"scheduler": schedule, "monitor": "val_acc", "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": monitored}

    def _steps_of_run(self) -> int:
        """Returns the number of optimizer steps of the whole run; 1 without a trainer."""
        if self._trainer is None:  # only the structure of its state is needed
            return 1
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise UserError("--model.one_cycle: ends with the run; give --trainer.max_epochs")
        return int(steps)


class DenseModule(ClassifierModule):
    """System 1 of the notebook: two hidden layers (535,818 parameters)."""

    net_type = Dense


class SimpleConvModule(ClassifierModule):
    """Systems 2 to 5: two convolutions and one hidden layer (128,924 parameters)."""

    net_type = SimpleConv


class DeepConvModule(ClassifierModule):
    """System 6: four convolutions and one hidden layer (887,530 parameters)."""

    net_type = DeepConv


class ConvNetModule(ClassifierModule):
    """A convolutional network with batch normalisation, whose size is set by options.

    Args:
        widths: Number of feature maps of each convolution, one list per stage; each stage halves
            the image's side.
        kernels: Kernel size of each stage's convolutions, in pixels.
        strided: How many of the first stages halve the side by a stride; the others use 2x2 max
            pooling.
        hidden: Units of the hidden layer after the convolutions; 0: no hidden layer, and the last
            layer sees the average and the maximum of each map.
        recipe: The options of `ClassifierModule`.
    """

    def __init__(
        self,
        widths: list[list[PositiveInt]],
        kernels: list[PositiveInt],
        strided: NonNegativeInt = 1,
        hidden: NonNegativeInt = 0,
        **recipe: Any,
    ) -> None:
        maps = [[int(width) for width in stage] for stage in widths]
        sides = [int(kernel) for kernel in kernels]
        self.net_type = partial(ConvNet, maps, sides, int(strided), int(hidden))
        super().__init__(**recipe)
