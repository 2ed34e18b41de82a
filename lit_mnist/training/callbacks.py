"""What a training run leaves behind: its config, a row and a line an epoch, its checkpoints."""

import csv
import io
import math
import time
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from torch import Tensor

from lit_mnist import files
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import COLUMNS, Run
from lit_mnist.training.hardware import device_name, versions
from lit_mnist.training.workarounds import EpochCheckpoint


class RunFolder(Callback):
    """Keeps a run's folder: clears it for a fresh start, writes `config.yaml` and the status.

    Args:
        run: The folder.
        config: The resolved config.
        fresh: Whether to remove what an earlier run left there.
    """

    def __init__(self, run: Run, config: dict[str, Any], fresh: bool) -> None:
        self.run, self.config = run, config
        self.outdated = run.written() if fresh else []  # before the logger adds a file of its own

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Runs once all ranks have found their starting point and the data is loaded."""
        if stage != "fit" or not trainer.is_global_zero:
            return
        for path in self.outdated:
            path.unlink(missing_ok=True)
        files.write_text(self.run.file("config.yaml"), yaml.safe_dump(self.config, sort_keys=False))
        # Test scores are of the weights before; what follows may better them
        kept = {k: v for k, v in self.run.results().items() if not k.startswith("test_")}
        files.write_json(self.run.file("results.json"), kept | self._facts(trainer, pl_module))

    def _facts(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        return {
            "status": "running",
            "name": self.config["name"],
            "seed": self.config["seed_everything"],
            "model": type(pl_module).__name__,
            "parameters": sum(weights.numel() for weights in pl_module.parameters()),
            **trainer.datamodule.fingerprint(),  # type: ignore[attr-defined] # the CLI always has one
            "hardware": device_name(trainer.strategy.root_device),
            "ranks": trainer.world_size,
            "precision": str(trainer.precision),
            "channels_last": bool(pl_module.hparams.get("channels_last")),
            "versions": versions(),
        }

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Marks the run as complete."""
        if trainer.is_global_zero:
            self.run.update_results(status="complete")

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Marks the run as interrupted, if it had begun."""
        if trainer.is_global_zero and trainer.training and self.run.file("results.json").exists():
            self.run.update_results(status="interrupted")


class MetricsCSV(Callback):
    """Adds a row to `metrics.csv` and prints a line for each epoch.

    The rows travel in the checkpoints, so a resumed run continues just those that belong to it. An
    epoch is written down once the module and all callbacks have logged: when a checkpoint of it is
    put together, whoever asks for one, and at the latest when the next epoch begins. So the file is
    never behind a checkpoint.

    Args:
        run: The folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []
        self.ended: dict[str, float] | None = None  # an epoch that is not written down yet
        self.written: dict[str, Tensor] = {}  # the metrics as they were for the last row

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock: for an epoch that was cut short, no other hook is called."""
        self.began = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the epoch's clock."""
        self._write(trainer)
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops it; epochs count from 0, as Lightning's do."""
        seconds = time.perf_counter() - self.began
        self.ended = {"epoch": trainer.current_epoch, "seconds": seconds}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Puts the rows into each checkpoint."""
        self._write(trainer)
        checkpoint["callbacks"][self.state_key] = {"rows": list(self.rows)}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the last epoch down, if it has left no checkpoint."""
        self._write(trainer)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Takes up the rows that the checkpoint knows."""
        self.rows = list(checkpoints.history(checkpoint))

    def _write(self, trainer: Trainer) -> None:
        if self.ended is None:
            return
        measured, self.ended = self.ended, None
        metrics = dict(trainer.callback_metrics)
        # Lightning keeps what was logged in an earlier epoch: it is the same tensor then.
        # Seven digits are what its float32 holds: 0.001, not 0.0010000000474974513.
        logged = {
            name: float(f"{value:.7g}")
            for name, value in metrics.items()
            if value is not self.written.get(name)
        }
        self.written = metrics
        row = dict.fromkeys(COLUMNS, math.nan) | logged | measured
        self.rows.append({name: row[name] for name in COLUMNS})
        if trainer.is_global_zero:
            files.write_text(self.run.file("metrics.csv"), self._csv())
            self.run.update_results(**self._summary())
            self._print(trainer)

    @property
    def state_key(self) -> str:
        """Names the rows in a checkpoint, whatever the class is called."""
        return checkpoints.METRICS_KEY

    def _csv(self) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({name: "" if math.isnan(row[name]) else row[name] for name in COLUMNS})
        return text.getvalue()

    def _summary(self) -> dict[str, Any]:
        seconds = {"seconds": round(sum(row["seconds"] for row in self.rows), 2)}
        validated = [row for row in self.rows if not math.isnan(row["val_acc"])]
        if not validated:
            return {"epochs": len(self.rows)} | seconds
        best = max(validated, key=lambda row: (row["val_acc"], -row["epoch"]))
        scores = {f"best_{name}": best[name] for name in ("epoch", "val_acc", "val_loss")}
        return {"epochs": len(self.rows)} | scores | seconds

    def _print(self, trainer: Trainer) -> None:
        row, last = self.rows[-1], trainer.max_epochs
        known = {name: value for name, value in row.items() if not math.isnan(value)}
        scores = "".join(f"{name} {known[name]:.4f}  " for name in COLUMNS[1:5] if name in known)
        rate = f"lr {known['lr']:.3g}  " if "lr" in known else ""
        line = f"epoch {row['epoch']:>3}  {scores}{rate}{row['seconds']:.1f} s"
        if last and last > 0:
            left = (last - len(self.rows)) * row["seconds"]
            line = f"{line}  ETA {int(left // 60)}:{int(left % 60):02d}"
        bar = trainer.progress_bar_callback
        bar.print(line) if isinstance(bar, TQDMProgressBar) else print(line, flush=True)


class StepCheckpoint(Callback):
    """Writes `last.ckpt` within the epoch too.

    Args:
        run: The folder.
        every_n_train_steps: Steps between two checkpoints.
    """

    def __init__(self, run: Run, every_n_train_steps: int) -> None:
        self.run, self.every_n_train_steps = run, every_n_train_steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves; not at the epoch's last step, whose checkpoint is that of the whole epoch."""
        if (batch_idx + 1) % self.every_n_train_steps == 0 and not trainer.is_last_batch:
            trainer.save_checkpoint(self.run.last)


class ProgressBar(TQDMProgressBar):
    """A bar for the epoch that is running; finished epochs stay as MetricsCSV's lines."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=20, leave=False)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Shows speed alone: a score in the bar would stop the device at every step."""
        return {}


def checkpoints_of(run: Run) -> list[EpochCheckpoint]:
    """Gives the callbacks that write `best.ckpt` and `last.ckpt` at the end of each epoch.

    They are two because since 2.6 `save_last=True` leaves `last` at the best epoch (Lightning
    #21244); the best one comes first because `ckpt_path="best"` reads the first.
    """
    options: dict[str, Any] = {
        "dirpath": run.best.parent,
        "enable_version_counter": False,
        "save_on_train_epoch_end": True,
        "auto_insert_metric_name": False,
    }
    return [
        EpochCheckpoint(filename="best", monitor="val_acc", mode="max", **options),
        EpochCheckpoint(filename="last", monitor=None, **options),
    ]
