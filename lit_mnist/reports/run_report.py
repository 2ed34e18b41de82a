"""What a test leaves behind, and the pictures of a run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor

from lit_mnist import files
from lit_mnist.data.batches import Batch
from lit_mnist.data.datasets import class_names
from lit_mnist.reports import figures, gallery, plots
from lit_mnist.reports.statistics import wilson_interval
from lit_mnist.runs import ledger
from lit_mnist.runs.folder import Run
from lit_mnist.shape import CLASSES


class Collector(Callback):
    """Keeps index, label and probabilities of each image that is scored, on every rank.

    Args:
        run: The folder to write to.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.parts: list[Tensor] = []

    def collect(self, batch: Batch, probabilities: Tensor) -> None:
        """Keeps a batch: its indices (B,), its labels (B,) and its probabilities (B, 10)."""
        columns = (batch.indices[:, None], batch.labels[:, None], probabilities)
        self.parts.append(torch.cat([column.double().cpu() for column in columns], dim=1))

    def table(self, trainer: Trainer) -> np.ndarray:
        """Gives float64 (N, 12), index, label, p0 to p9, in index order; all ranks must call it."""
        parts = self.parts
        if trainer.world_size > 1:
            everyone: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(everyone, parts)
            parts = [part for rank in everyone for part in rank]
        rows = torch.cat(parts)
        return rows[rows[:, 0].argsort()].numpy()


class EvaluationReport(Collector):
    """Writes `predictions.csv`, the scores and the pictures of a test.

    Args:
        run: The folder to write to.
        checkpoint: What was tested, for `results.json`: its path and the hash of its weights.
    """

    __test__ = False  # no test case, whatever pytest makes of the name

    def __init__(self, run: Run, checkpoint: dict[str, str]) -> None:
        super().__init__(run)
        self.checkpoint = checkpoint

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Keeps the batch."""
        self.collect(batch, outputs)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes everything down, on rank zero."""
        table = self.table(trainer)
        if trainer.is_global_zero:
            self.write(trainer, table)
            # Last, as it says that the test is written down in full
            self.run.update_results(**self.checkpoint)

    def write(self, trainer: Trainer, table: np.ndarray) -> None:
        """Writes files and pictures from (N, 12): index, label, p0 to p9."""
        labels, predictions = table[:, 1].astype(int), table[:, 2:].argmax(axis=1)
        files.write_text(self.run.file("predictions.csv"), predictions_csv(table))
        loss = float(trainer.callback_metrics["test_loss"])
        scores = test_scores(labels, predictions, loss)
        digest, errors = self.checkpoint["test_weights_sha256"], scores["test_errors"]
        reads = ledger.note(self.run.folder, digest, scores["test_acc"], loss, errors)
        self.run.update_results(**scores, test_reads=reads)
        data: Any = trainer.datamodule  # type: ignore[attr-defined] # the CLI always has one
        names = class_names(data.dataset)
        images, indices = data.test_set.images.cpu().numpy(), table[:, 0].astype(int)
        wrong = self.gallery(images, labels, predictions, indices, names)
        show(trainer, self.run, "misclassified", wrong)
        matrix = plots.confusion_matrix(labels, predictions, CLASSES)
        show(trainer, self.run, "confusion", plots.confusion(matrix, names))
        self.curves(trainer)

    def gallery(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        predictions: np.ndarray,
        indices: np.ndarray,
        names: Sequence[str] | None,
    ) -> Figure:
        """Draws what was misclassified; the arguments are those of `gallery.draw`."""
        return gallery.draw(images, labels, predictions, indices, class_names=names)

    def curves(self, trainer: Trainer) -> None:
        """Draws the accuracy curves anew, with the test accuracy in them."""
        show_curves(trainer, self.run)


class Curves(Callback):
    """Draws the accuracy curves when training ends."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draws them, on rank zero."""
        if trainer.is_global_zero:
            show_curves(trainer, self.run)


def test_scores(labels: np.ndarray, predictions: np.ndarray, loss: float) -> dict[str, Any]:
    """Gives what `results.json` says of a test: accuracy with its 95% interval, loss, errors.

    Args:
        labels: int (N,).
        predictions: int (N,).
        loss: Mean over the N images, in nats.
    """
    errors, count = int((labels != predictions).sum()), len(labels)
    return {
        "test_acc": 1 - errors / count,
        "test_acc_ci95": [round(limit, 6) for limit in wilson_interval(count - errors, count)],
        "test_loss": loss,
        "test_errors": errors,
        "test_images": count,
    }


def predictions_csv(table: np.ndarray) -> str:
    """Formats (N, 12) index, label, p0 to p9; nine digits give a float32 back exactly."""
    columns = ["index", "label", "prediction", *(f"p{digit}" for digit in range(CLASSES))]
    lines = [",".join(columns)]
    for row in table:
        whole = f"{row[0]:.0f},{row[1]:.0f},{row[2:].argmax()}"
        lines.append(",".join([whole, *(f"{p:.9g}" for p in row[2:])]))
    return "\n".join(lines) + "\n"


def show(trainer: Trainer, run: Run, name: str, figure: Any) -> None:
    """Saves a figure as PNG in the run's folder and adds it to TensorBoard."""
    figures.save(figure, run.file(f"{name}.png"))
    if isinstance(trainer.logger, TensorBoardLogger):
        step = trainer.global_step
        trainer.logger.experiment.add_image(name, figures.to_array(figure), step, dataformats="HWC")


def show_curves(trainer: Trainer, run: Run) -> None:
    """Draws `curves.png` from `metrics.csv`, with the test accuracy once it is known."""
    history, results = run.history(), run.results()
    if history:
        name = str(results.get("name", run.folder.parent.name))
        show(trainer, run, "curves", plots.curves({name: history}, {name: results.get("test_acc")}))
