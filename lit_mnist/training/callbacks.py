"""What a training run shows and writes down of each epoch."""

import csv
import io
import math
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, TQDMProgressBar

from lit_mnist import files
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import COLUMNS, Run


class MetricsCSV(Checkpoint):
    """Adds a row to `metrics.csv` and prints a line after each epoch.

    The rows travel in the checkpoints, so a resumed run continues just those that belong to it. It
    is a `Checkpoint` for the order alone: Lightning calls those last, once the module has logged.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of an epoch that is gone on with: nobody says that it starts."""
        self.began = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the epoch's clock."""
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the epoch down; epochs count from 0, as Lightning's do."""
        measured = {"epoch": trainer.current_epoch, "seconds": time.perf_counter() - self.began}
        # Seven digits are what Lightning's float32 holds: 0.001, not 0.0010000000474974513
        logged = {name: float(f"{value:.7g}") for name, value in trainer.callback_metrics.items()}
        row = dict.fromkeys(COLUMNS, math.nan) | logged | measured
        self.rows.append({name: row[name] for name in COLUMNS})
        if trainer.is_global_zero:
            files.write_text(self.run.file("metrics.csv"), self._csv())
            self.run.update_results(**self._summary())
            self._print(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Goes into each checkpoint."""
        return {"rows": self.rows}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Takes up the rows that the checkpoint knows."""
        self.rows = list(checkpoints.history(checkpoint))

    @property
    def state_key(self) -> str:
        """Names the rows in a checkpoint, whatever the class is called."""
        return checkpoints.METRICS_KEY

    def _csv(self) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def _summary(self) -> dict[str, Any]:
        """Leaves the best score to BestCheckpoint, whose file has to have it."""
        seconds = round(sum(row["seconds"] for row in self.rows), 2)
        return {"epochs": len(self.rows), "seconds": seconds}

    def _print(self, trainer: Trainer) -> None:
        row, last = self.rows[-1], trainer.max_epochs
        scores = "  ".join(f"{name} {row[name]:.4f}" for name in COLUMNS[1:5])
        line = f"epoch {row['epoch']:>3}  {scores}  lr {row['lr']:.3g}  {row['seconds']:.1f} s"
        if last and last > 0:
            left = (last - len(self.rows)) * row["seconds"]
            line = f"{line}  ETA {int(left // 60)}:{int(left % 60):02d}"
        bar = trainer.progress_bar_callback
        bar.print(line) if isinstance(bar, TQDMProgressBar) else print(line, flush=True)


class ProgressBar(TQDMProgressBar):
    """A bar for the epoch that is running; finished epochs stay as MetricsCSV's lines."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=20, leave=False)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Shows speed alone: a score in the bar would stop the device at every step."""
        return {}
