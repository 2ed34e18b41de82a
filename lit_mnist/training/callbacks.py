"""What a training run prints and writes for each epoch."""

import math
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from torch import Tensor

from lit_mnist import files
from lit_mnist.runs import checkpoints, entries
from lit_mnist.runs.folder import COLUMNS, Run
from lit_mnist.runs.restored import metrics_csv
from lit_mnist.training.digits import rounded
from lit_mnist.training.watch import Watch

_MEASURED = ("epoch", "seconds")  # columns that no module or callback fills


class MetricsCSV(Callback):
    """Adds a row to `metrics.csv` and prints a line for each epoch.

    Every other value that a module or callback logs has its own column, after the fixed ones:
    `logged_epoch` or `logged_seconds` if its name is that of a column that is measured here. The
    rows are saved in the checkpoints, so a resumed run continues exactly those that belong to it.
    An epoch's row is written once the module and all callbacks have logged: when a checkpoint is
    assembled, or at the latest when the next epoch begins. The file is therefore never behind a
    checkpoint.

    Args:
        run: The folder.
        watch: Passes each row on to the loggers; None if there are none.
    """

    def __init__(self, run: Run, watch: Watch | None = None) -> None:
        self.run, self.watch = run, watch
        self.rows: list[dict[str, float]] = []
        self.ended: dict[str, float] | None = None  # row of an epoch that is not written yet
        self.written: dict[str, Tensor] = {}  # the metrics that the last row was written from

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock; a resumed epoch calls no other hook at its start."""
        self.began = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the epoch's clock."""
        self._write(trainer)
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock and prepares the epoch's row; epochs count from 0, as in Lightning."""
        batches = trainer.fit_loop.epoch_loop.batch_progress.current
        if not batches.ready:  # before its first batch
            return
        seconds = time.perf_counter() - self.began
        self.ended = {"epoch": trainer.current_epoch, "seconds": seconds}
        # skipped by `on_train_batch_start`: Lightning keeps earlier scores
        if not batches.started:  # type: ignore[attr-defined] # typed as its base class
            self.ended |= dict.fromkeys(("train_loss", "train_acc"), math.nan)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the rows in each checkpoint."""
        self._write(trainer)
        checkpoint["callbacks"][self.state_key] = {"rows": list(self.rows)}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the last epoch's row, if no checkpoint has."""
        self._write(trainer)
        if self.watch and trainer.is_global_zero:
            self.watch.board.close()

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restores the rows from the checkpoint."""
        self.rows = list(checkpoints.history(checkpoint))

    def _write(self, trainer: Trainer) -> None:
        if self.ended is None:
            return
        measured, self.ended = self.ended, None
        metrics = dict(trainer.callback_metrics)
        # Lightning keeps metrics of earlier epochs: an identical tensor was not logged again
        logged = {
            name: rounded(name, value)
            for name, value in metrics.items()
            if value is not self.written.get(name)
        }
        self.written = metrics
        self.rows.append(dict.fromkeys(COLUMNS, math.nan) | _once(logged) | measured)
        if trainer.is_global_zero:
            files.write_text(self.run.file("metrics.csv"), metrics_csv(self.rows))
            self.run.update_results(**self._summary())
            if self.watch:
                self.watch.write(self.rows)
            self._print(trainer)

    @property
    def state_key(self) -> str:
        """Key of the rows in a checkpoint, independent of the class's name."""
        return entries.METRICS

    def _summary(self) -> dict[str, Any]:
        """Summarises the run for `results.json`; BestCheckpoint adds the best score."""
        seconds = round(sum(row["seconds"] for row in self.rows), 2)
        return {"epochs": len(self.rows), "seconds": seconds}

    def _print(self, trainer: Trainer) -> None:
        row, last = self.rows[-1], trainer.max_epochs
        known = {name: value for name, value in row.items() if not math.isnan(value)}
        scores = "".join(f"{name} {known[name]:.4f}  " for name in COLUMNS[1:5] if name in known)
        rate = f"lr {known['lr']:.3g}  " if "lr" in known else ""
        line = f"epoch {row['epoch']:>3}  {scores}{rate}{row['seconds']:.1f} s"
        if last and last > 0:
            remaining = (last - len(self.rows)) * row["seconds"]
            line = f"{line}  ETA {int(remaining // 60)}:{int(remaining % 60):02d}"
        bar = trainer.progress_bar_callback
        bar.print(line) if isinstance(bar, TQDMProgressBar) else print(line, flush=True)


def _once(logged: dict[str, float]) -> dict[str, float]:
    """Leaves out the second and third name of a value that is logged for each step and epoch.

    What is called as a measured column keeps its value under another name.
    """
    copies = [(f"{name}_step", f"{name}_epoch") for name in logged]
    doubled = {copy for both in copies if logged.keys() >= {*both} for copy in both}
    names = {name: f"logged_{name}" if name in _MEASURED else name for name in logged}
    return {names[name]: value for name, value in logged.items() if name not in doubled}


class ProgressBar(TQDMProgressBar):
    """Progress bar of the current epoch; MetricsCSV prints a line for each finished one."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=20, leave=False)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Shows the speed only: a score in the bar would synchronise the device at every step."""
        return {}
