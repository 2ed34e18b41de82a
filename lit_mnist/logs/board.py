"""Writes a run's epochs for TensorBoard: training and validation in one chart, over epochs.

TensorBoard draws equal tags from several folders into one chart, so training and validation have
one folder each below the run's. `final` has its own because the HParams tab takes every scalar in
its folder for a result. No list of options is declared there: without one, TensorBoard itself finds
the options that differ between runs and shows those first. Charts are ordered by tag: `by_epoch`
precedes the pictures `confusion` and `curves`. Each class has its own chart of recall, with all
runs in it: ten lines in one chart would take ten folders per run.

TensorBoard names a run by its folder, `deep/seed_42/val`. The first part comes from the config or
`--name`, and a folder accepts only one set of options, so names tell runs apart.
"""

import re
from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from lit_mnist.logs import kept_events
from lit_mnist.logs.hparams import hparams
from lit_mnist.logs.net_graph import add_graph
from lit_mnist.logs.new_best import best_of_epoch
from lit_mnist.logs.run_logger import RunLogger
from lit_mnist.logs.validated import Validated
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.folder import FINAL, Run
from lit_mnist.runs.run_config import read_config

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# For each folder below the run's: tag, and the column of metrics.csv
SERIES = {
    "train": {
        "by_epoch/accuracy": "train_acc",
        "by_epoch/loss": "train_loss",
        "by_epoch/lr": "lr",
        "by_epoch/seconds": "seconds",
    },
    "val": {"by_epoch/accuracy": "val_acc", "by_epoch/loss": "val_loss"},
}
FIRST_BATCH = "first_batch"  # tag
# Entries of results.json that the run's summary shows, where they exist
FACTS = (
    *("best_val_acc", "best_val_loss", "best_epoch", "model", "parameters", "seed", "hardware"),
    *("ranks", "precision", "dataset", "data_sha256", "split_sha256", "versions"),
)


class EpochBoard:
    """Writes the results of each epoch for TensorBoard; for use on rank zero only.

    Args:
        run: The folder.
        config: The resolved config.
    """

    def __init__(self, run: Run, config: Mapping[str, Any]) -> None:
        self.run, self.config = run, config
        self.writers: dict[str, SummaryWriter] = {}

    def begin(self, trainer: Trainer, module: LightningModule, before: Mapping[str, Any]) -> None:
        """Opens the files and purges what a killed process wrote beyond this step."""
        from torch.utils.tensorboard import SummaryWriter

        epoch = trainer.current_epoch
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.resume(trainer, before)
        saved = before.get("time", 0.0)
        first_batches = kept_events.found(
            kept_events.files(self.run.file("train")),
            epoch,
            lambda _, event: event.wall_time <= saved and _is_first_batch(event),
        )
        self.writers = {
            part: SummaryWriter(str(self.run.file(part)), purge_step=epoch)
            for part in (*SERIES, FINAL)
        }
        start_session(self.writers[FINAL], self.config)
        train = self.writers["train"]
        kept_events.add(train, first_batches)
        text = safe_yaml.dump(dict(self.config))
        train.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()), epoch)
        add_graph(train, trainer, module)

    def first_batch(self, picture: np.ndarray) -> None:
        """Shows the first augmented batch."""
        self.writers["train"].add_image(FIRST_BATCH, picture, 0, dataformats="HWC")

    def write(self, rows: Sequence[Mapping[str, float]], seen: Validated | None) -> None:
        """Adds the last of the rows and, for a new best epoch, the pictures."""
        row, epoch = rows[-1], int(rows[-1]["epoch"])
        for part, columns in SERIES.items():
            for tag, column in columns.items():
                if not isnan(row.get(column, nan)):
                    self.writers[part].add_scalar(tag, row[column], epoch)
        for name, recall in (seen.recalls() if seen else {}).items():
            tag = re.sub(r"[^\w.-]+", "_", name)
            self.writers["val"].add_scalar(f"by_epoch_recall/{tag}", recall, epoch)
        best = best_of_epoch(rows, self.run.results())
        for name, value in best.items():
            self.writers[FINAL].add_scalar(f"final/{name}", value, epoch)
        if best:
            self._show_best(seen, best, epoch)
        for writer in self.writers.values():
            writer.flush()

    def _show_best(self, seen: Validated | None, best: Mapping[str, float], epoch: int) -> None:
        for name, picture in (seen.pictures() if seen else {}).items():
            self.writers["val"].add_image(
                f"by_epoch_best/{name}", picture, epoch, dataformats="HWC"
            )
        text = summary({**self.run.results(), "best_epoch": epoch, **best})
        self.writers["val"].add_text("summary", text, epoch)

    def close(self) -> None:
        """Closes the files."""
        for writer in self.writers.values():
            writer.close()
        self.writers = {}


def _is_first_batch(event: Any) -> bool:
    return any(one.tag == FIRST_BATCH for one in event.summary.value)


def summary(results: Mapping[str, Any]) -> str:
    """Formats the entries of `results.json` as a Markdown table."""
    known = {key: results[key] for key in FACTS if key in results}
    lines = [f"| {key} | {_plain(value)} |" for key, value in known.items()]
    return "\n".join(["| what | value |", "| --- | --- |", *lines])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)


def start_session(writer: "SummaryWriter", config: Mapping[str, Any]) -> None:
    """Adds a run's options to the HParams tab."""
    from torch.utils.tensorboard.summary import hparams as session

    _, start, _ = session(hparams(dict(config)), {})
    writer._get_file_writer().add_summary(start)


def add_test(run: Run, scores: Mapping[str, Any], epoch: int) -> None:
    """Adds a test's scores to the HParams tab, in place of those of an earlier test.

    Args:
        run: The folder, with its config.
        scores: The test's entries in `results.json`.
        epoch: Epoch of the tested weights.
    """
    from torch.utils.tensorboard import SummaryWriter

    withdraw_test(run)
    with SummaryWriter(str(run.file(FINAL)), filename_suffix=".test") as writer:
        start_session(writer, read_config(run.config_yaml))
        for name in ("test_acc", "test_loss"):
            writer.add_scalar(f"final/{name}", scores[name], epoch)


def withdraw_test(run: Run) -> None:
    """Removes a test's scores from the HParams tab, as the weights have changed since."""
    for path in run.file(FINAL).glob("events.out.tfevents.*.test"):
        path.unlink()
