"""What a training run prints and writes for each epoch."""

import math
import time
from typing import Any

import torch
from lightning.fabric.utilities.apply_func import convert_tensors_to_scalars
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from lit_mnist import files, trainers
from lit_mnist.logs.digits import rounded
from lit_mnist.logs.logged_values import LoggedValues, columns
from lit_mnist.logs.watch import Watch
from lit_mnist.models.train_log import TrainLog
from lit_mnist.runs import checkpoints, entries
from lit_mnist.runs.folder import COLUMNS, Run
from lit_mnist.runs.restored import metrics_csv


class MetricsCSV(Callback):
    """Adds a row to `metrics.csv` and prints a line for each epoch.

    Every other value that a module or callback logs has its own column, after the fixed ones:
    `logged_epoch` or `logged_seconds` if its name is that of a column that is measured here. The
    rows are saved in the checkpoints, so a resumed run continues exactly those that belong to it.
    A checkpoint that anyone saves at an epoch's end holds the row as known by then, and the file is
    never behind a checkpoint. The row is final once the module and all callbacks have logged:
    `BestCheckpoint` says when, or else the next epoch begins. A checkpoint saved where training
    ends within an epoch also holds its row, for a run that is killed before the row is final.

    It comes before the user's callbacks, so that what these log at an epoch's start is not taken
    for a value of the epoch before, and what they save at its end has its row.

    Args:
        run: The folder.
        watch: Passes each row on to the loggers; None if there are none.
    """

    state_key = entries.METRICS  # independent of the class's name

    def __init__(self, run: Run, watch: Watch | None = None) -> None:
        self.run, self.watch = run, watch
        self.rows: list[dict[str, float]] = []
        self.measured: dict[str, float] = {}  # of an epoch that has ended, until its row is final
        self.unfinished = False  # whether more of this epoch may follow
        self.spent = 0.0  # seconds before a resume, of an epoch of which the end alone is left
        self.logged = LoggedValues()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock; a resumed epoch calls no other hook at its start."""
        self.began, self.unfinished = time.perf_counter(), True
        self.logged.begin_training(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the epoch's clock."""
        self.finish(trainer)
        self.began, self.unfinished = time.perf_counter(), True
        self.logged.begin_epoch(trainer)

    def on_train_batch_start(self, *_: Any) -> None:
        """Forgets the seconds before a resume, as not only the end of the epoch is left."""
        self.spent = 0.0

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops the clock; epochs count from 0, as in Lightning."""
        self.unfinished = False
        if self.watch:
            self.watch.end_epoch(trainer)
        if trainer.fit_loop.epoch_loop.batch_progress.current.ready:  # not before its first batch
            self.measured = {"epoch": trainer.current_epoch, "seconds": self._seconds()}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves in each checkpoint the rows, and the values of an epoch that has not ended."""
        values = self.logged.of_epoch(trainer)
        rows = self._with_ended(values)
        checkpoint["callbacks"][self.state_key] = {
            "rows": rows,
            "logged": values if self.unfinished else {},
            "cut_short": self._row_so_far(trainer, values),
        }
        if self.measured and trainer.is_global_zero:
            self._write(rows)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the last epoch's row, if that was not done."""
        self.finish(trainer)
        if self.watch and trainer.is_global_zero:
            self.watch.board.close()

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restores the rows and the values from the checkpoint."""
        self.rows = list(checkpoints.history(checkpoint))
        self.spent = sum(row.get("seconds", 0.0) for row in checkpoints.cut_short(checkpoint))
        self.logged.load(checkpoint)

    def finish(self, trainer: Trainer) -> None:
        """Writes and prints the row of an epoch that has ended, once."""
        if not self.measured:
            return
        self.rows, self.measured = self._with_ended(self.logged.of_epoch(trainer)), {}
        if self.watch:
            self.watch.ended = True
        if trainer.is_global_zero:
            self._write(self.rows)
            if self.watch:
                self.watch.write(self.rows)
            self._print(trainer)

    def _with_ended(self, values: dict[str, float]) -> list[dict[str, float]]:
        row = dict.fromkeys(COLUMNS, math.nan) | columns(values)
        return [*self.rows, *([row | self.measured] if self.measured else [])]

    def _row_so_far(self, trainer: Trainer, values: dict[str, float]) -> list[dict[str, float]]:
        """Returns the row of an epoch in which training ends, if it does."""
        if not (self.unfinished and trainers.ends_within_epoch(trainer)):
            return []
        for one in trainers.callbacks_of(trainer, TrainLog):
            scores = one.so_far(trainer, trainer.lightning_module).items()
            values = values | {name: rounded(name, torch.as_tensor(v)) for name, v in scores}
        values = values | self.logged.at_an_end(trainer)
        measured = {"epoch": trainer.current_epoch, "seconds": self._seconds()}
        return [dict.fromkeys(COLUMNS, math.nan) | columns(values) | measured]

    def _seconds(self) -> float:
        return self.spent + time.perf_counter() - self.began

    def _write(self, rows: list[dict[str, float]]) -> None:
        """Writes the rows, and their summary to `results.json`; BestCheckpoint adds the best."""
        files.write_text(self.run.metrics_csv, metrics_csv(rows))
        seconds = round(sum(row["seconds"] for row in rows), 2)
        self.run.update_results(epochs=len(rows), seconds=seconds)

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


class ProgressBar(TQDMProgressBar):
    """Progress bar of the current epoch; MetricsCSV prints a line for each finished one."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=20, leave=False)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Shows the speed, and what is logged with `prog_bar=True`, as known after the step before.

        Our modules log nothing so: it synchronises the device. To ask for newer values would
        compute them on rank zero alone, where the others don't take part.
        """
        return convert_tensors_to_scalars(dict(trainer._logger_connector._progress_bar_metrics))
