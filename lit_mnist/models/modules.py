"""The LightningModules: one small subclass an architecture around one training recipe.

The recipe is the notebook's: cross-entropy, Adam as Keras sets it, and the plateau schedule.
"""

from typing import Any

import torch
from jsonargparse.typing import OpenUnitInterval, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.optim import Adam
from torchmetrics.utilities.distributed import gather_all_tensors

from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.models.nets import DeepConv, Dense, SimpleConv
from lit_mnist.models.plateau import Plateau, PlateauBeforeCheckpoint
from lit_mnist.models.scoring import RunningScores, ScoredModule

LOOK_EVERY = 100  # steps, between two looks whether the loss is a number: each stops the device


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
        self.kept_scores: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        """Maps float images (N, 1, 28, 28) in [0, 1] to logits (N, 10)."""
        return self.net(images.to(self.dtype))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Gives the batch's loss, scaled so that the mean over ranks is the mean over images."""
        total = self.score(batch, self(batch.images), self.train_scores)
        if (batch_idx + 1) % LOOK_EVERY == 0:
            self._check_loss()
        return total / batch.loss_divisor

    def on_train_epoch_end(self) -> None:
        """Logs the epoch and steps the schedule, before the epoch's checkpoint is written."""
        self._check_loss()
        self.log_scores("train", self.train_scores)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.step_plateau()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps each rank's sums of an epoch that has not ended."""
        super().on_save_checkpoint(checkpoint)
        alone = self.trainer.world_size == 1
        kept = [
            torch.stack([value] if alone else gather_all_tensors(value)).cpu()
            for value in self.train_scores.partial_sums()
        ]
        checkpoint["train_scores"] = kept

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remembers them until training starts."""
        self.kept_scores = checkpoint.get("train_scores", [])

    def on_train_start(self) -> None:
        """Takes up this rank's sums; on another number of ranks the first takes them all."""
        kept, rank, world_size = self.kept_scores, self.trainer.global_rank, self.trainer.world_size
        self.kept_scores = []
        if kept and len(kept[0]) == world_size:
            self.train_scores.load([value[rank] for value in kept])
        elif kept and rank == 0:
            *sums, finite_steps = kept
            self.train_scores.load([*(value.sum() for value in sums), finite_steps.min()])

    def _check_loss(self) -> None:
        """Stops a run that has come to nothing, before it reaches a checkpoint.

        Raises:
            UserError: Naming the step.
        """
        known = [self.train_scores.total, self.trainer.callback_metrics.get("val_loss")]
        if all(loss is None or loss.isfinite() for loss in known):
            return
        epoch, steps = self.trainer.current_epoch, int(self.train_scores.finite_steps)
        raise UserError(
            f"the loss is not a finite number from step {steps} of epoch {epoch} on; lower"
            f" --model.lr {self.hparams['lr']:g}, or take --trainer.precision 32-true; the last"
            " good checkpoint is kept"
        )

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
