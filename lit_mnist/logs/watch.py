"""Collects validation results and the first batch, and passes them to the loggers."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn, TrainerStatus
from torch import Tensor

from lit_mnist import trainers
from lit_mnist.data.datasets import labels as labels_of
from lit_mnist.logs import loggers, tiles, validated
from lit_mnist.logs.validated import Validated, Worst
from lit_mnist.machine.ranks import of_each_rank
from lit_mnist.runs import entries
from lit_mnist.shape import CLASSES

FIRST = 25  # number of images of the first batch that are shown


class Board(Protocol):
    """Interface of what shows the results; used on rank zero only."""

    def begin(self, trainer: Trainer, module: LightningModule, before: Mapping[str, Any]) -> None:
        """Called before the first step of a process, with what `loggers.written` has returned."""

    def first_batch(self, picture: np.ndarray) -> None:
        """Shows the first augmented batch as a picture, uint8 (H, W, 3)."""

    def write(self, rows: Sequence[Mapping[str, float]], seen: Validated | None) -> None:
        """Shows the last row of `metrics.csv` and the epoch's last validation."""

    def close(self) -> None:
        """Called when training has ended."""


class Watch(Callback):
    """Collects the results of each epoch's last validation, and shows a run's first batch.

    Pictures are left out if batches are not images with their classes, as a module's hooks may make
    them, or if the validation step does not return probabilities, as may be in a module with a
    `validation_step` of its own.

    Args:
        board: Shows the results.
        untold: Whether an earlier process may have been killed before the loggers were told what
            was due when it saved its last checkpoint.
    """

    def __init__(self, board: Board, untold: bool = False) -> None:
        self.board, self.untold = board, untold
        self.ended = False  # whether the epoch's row is final, and the loggers' turn is next
        self.parts: list[tuple[Tensor, Worst]] = []  # results of this rank's batches
        self.seen: Validated | None = None
        self.validated: dict[int, int] = {}  # before a resume: batches, by the loader's index
        self.reloaded = 0.0  # before a resume: the epoch in which its loaders were made last
        self.written: dict[str, Any] = {}  # before a resume: as `loggers.written` returns it
        # the same, before the end of an epoch that is cut short
        self.cut_short: dict[str, Any] = {}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Remembers how many batches were validated, with which results, and what was logged."""
        if trainers.resumes(trainer):
            self.validated = dict(entries.get(checkpoint, entries.VALIDATED, {}))
            self.reloaded = entries.get(checkpoint, entries.RELOADED, 0.0)
            self.written = dict(entries.get(checkpoint, entries.LOGGED, {}))
            seen = entries.get(checkpoint, entries.SEEN)
            self.seen = validated.loaded(seen) if seen else None

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves their number, at which Lightning logs a validation's values by step, and the rest.

        What loggers hold back is saved before the checkpoint, behind which a resumed run goes on: a
        CSVLogger adds what callbacks log past `self.log` to its table only every 100 steps. Once
        training has failed, maybe because a logger cannot save, Lightning closes them anyway.
        """
        loop = trainer.fit_loop.epoch_loop.val_loop
        checkpoint[entries.VALIDATED] = self.validated or dict(loop._seen_batches_per_dataloader)
        last = self.reloaded if self.validated else loop._last_val_dl_reload_epoch
        checkpoint[entries.RELOADED] = last
        due = loggers.due(trainer) if self.ended else {}
        if not trainer.is_global_zero:
            return
        for logger in trainer.loggers if trainer.state.status != TrainerStatus.INTERRUPTED else ():
            logger.save()
        checkpoint[entries.LOGGED] = loggers.written(trainer) | due
        if self.seen:
            checkpoint[entries.SEEN] = self.seen.state()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the board, and tells the loggers what they may not have been told."""
        if not self.untold:
            self.written.pop("due", None)
        if trainer.is_global_zero:
            self.board.begin(trainer, pl_module, self.written)
            loggers.tell(trainer, self.written)

    def end_epoch(self, trainer: Trainer) -> None:
        """Notes what was logged before the early end of an epoch: what follows is of a part of it.

        `CutShortFiles` adds it to the checkpoint, and a run that goes on logs the whole instead.
        """
        if trainer.is_global_zero and not trainer.is_last_batch:
            self.cut_short = {**loggers.written(trainer), "step": loggers.last_step(trainer)}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets results of an epoch that had ended when its checkpoint was saved."""
        self.seen, self.cut_short, self.ended = None, {}, False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Shows the first batch after augmentation."""
        first = batch_idx == 0 and trainer.current_epoch == 0 and trainer.is_global_zero
        if first and validated.is_shown(batch) and validated.are_classes(batch.labels[:FIRST]):
            names = labels_of(trainers.data_module(trainer).dataset)
            texts = [[(names[label], tiles.INK)] for label in batch.labels[:FIRST].tolist()]
            shown = validated.grey(batch.images[:FIRST]).cpu().numpy()
            self.board.first_batch(tiles.grid(shown, texts))

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Clears the results of the previous validation, and goes on counting its batches."""
        self.parts = []
        if self.validated and not trainer.sanity_checking:
            self._go_on_counting(trainer)

    def _go_on_counting(self, trainer: Trainer) -> None:
        """Restores the counts, but where `reload_dataloaders_every_n_epochs` starts them over."""
        loop = trainer.fit_loop.epoch_loop.val_loop
        loop._last_val_dl_reload_epoch = self.reloaded
        if loop._should_reload_val_dl:  # as has been done just now, like at any resume
            loop._last_val_dl_reload_epoch = trainer.current_epoch
        else:
            loop._seen_batches_per_dataloader.update(self.validated)
        self.validated = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps a batch's results on its device, without synchronising it."""
        if not isinstance(outputs, Tensor) or not validated.is_shown(batch):
            return
        if outputs.shape == (len(batch.labels), CLASSES):
            self.parts.append(validated.part(batch, outputs))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gathers the results of all ranks."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        parts = [
            (counts.cpu(), Worst(*(one.cpu() for one in worst))) for counts, worst in self.parts
        ]
        parts = [part for rank in of_each_rank(trainer, parts) for part in rank]
        self.parts, self.seen = [], None
        if parts and trainer.is_global_zero:
            names = labels_of(trainers.data_module(trainer).dataset)
            self.seen = validated.combine(parts, names)

    def write(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Shows the last row, once; call it on rank zero only."""
        self.board.write(rows, self.seen)
        self.seen = None
