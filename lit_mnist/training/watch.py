"""What training and validation show of their images, handed to loggers as it comes."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lit_mnist.data.batches import Batch
from lit_mnist.data.datasets import labels as labels_of
from lit_mnist.shape import CLASSES
from lit_mnist.training import tiles, validated
from lit_mnist.training.validated import Validated, Worst

FIRST = 25  # images of the first batch that are shown


class Board(Protocol):
    """Where it is shown; it is used on rank zero alone."""

    def begin(self, trainer: Trainer, module: LightningModule) -> None:
        """Is called before the first step of a process."""

    def first_batch(self, picture: np.ndarray) -> None:
        """Shows what the net is first trained on: uint8 (H, W, 3)."""

    def write(self, rows: Sequence[Mapping[str, float]], seen: Validated | None) -> None:
        """Shows the last row of `metrics.csv`, and what the epoch's last validation said."""

    def close(self) -> None:
        """Is called when training has ended."""


class Watch(Callback):
    """Keeps what each epoch's last validation said, and shows the first batch of a run.

    A validation is left out whose step does not give the probabilities of its images, as a module
    with a `validation_step` of its own need not.

    Args:
        board: Where all that is shown.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self.parts: list[tuple[Tensor, Worst]] = []  # of this rank's batches
        self.seen: Validated | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Opens the board."""
        if trainer.is_global_zero:
            self.board.begin(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Shows the first batch, as augmentation has left it."""
        if batch_idx == 0 and trainer.current_epoch == 0 and trainer.is_global_zero:
            names = labels_of(trainer.datamodule.dataset)  # type: ignore[attr-defined] # the CLI always has one
            texts = [[(names[label], tiles.INK)] for label in batch.labels[:FIRST].tolist()]
            self.board.first_batch(tiles.grid(validated.grey(batch.images[:FIRST]).numpy(), texts))

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts from nothing."""
        self.parts = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps what is needed of a batch, on its device, which goes on meanwhile."""
        if isinstance(outputs, Tensor) and outputs.shape == (len(batch.labels), CLASSES):
            self.parts.append(validated.part(batch, outputs))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Brings together what all ranks have kept."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        parts = [
            (counts.cpu(), Worst(*(one.cpu() for one in worst))) for counts, worst in self.parts
        ]
        if trainer.world_size > 1:
            everyone: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(everyone, parts)
            parts = [part for rank in everyone for part in rank]
        self.parts, self.seen = [], None
        if parts and trainer.is_global_zero:
            names = labels_of(trainer.datamodule.dataset)  # type: ignore[attr-defined] # the CLI always has one
            self.seen = validated.together(parts, names)

    def write(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Shows the last row, once; to be called on rank zero alone."""
        self.board.write(rows, self.seen)
        self.seen = None
