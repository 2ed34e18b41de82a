"""A run's epochs for TensorBoard: training and validation in one chart, an epoch a step.

TensorBoard draws what has one tag in several folders into one chart, so training and validation
have a folder each below the run's. `final` is apart because the tab HParams takes every scalar of
its folder for a result. No list of options is declared there: without one, TensorBoard finds by
itself which options differ between runs, and shows those first. Charts stand in the order of their
tags: `by_epoch` is before the pictures `confusion` and `curves`. A class has a chart of its recall,
in which all runs lie: ten lines of one run would take ten folders.

TensorBoard calls a run by its folder, `deep/seed_42/val`. The config or `--name` gives the first
part, and a folder is refused to other options, so a name tells runs apart as its user wants them.
"""

import re
from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from lit_mnist.runs import safe_yaml
from lit_mnist.runs.config_changes import hparams
from lit_mnist.runs.folder import FINAL, Run
from lit_mnist.training.loggers import RunLogger, best_of_epoch
from lit_mnist.training.net_graph import add_graph
from lit_mnist.training.validated import Validated

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# Below the run's folder: tag, and the column of metrics.csv
SERIES = {
    "train": {
        "by_epoch/accuracy": "train_acc",
        "by_epoch/loss": "train_loss",
        "by_epoch/lr": "lr",
        "by_epoch/seconds": "seconds",
    },
    "val": {"by_epoch/accuracy": "val_acc", "by_epoch/loss": "val_loss"},
}
# What the text about a run tells of it, if results.json does
FACTS = (
    *("best_val_acc", "best_val_loss", "best_epoch", "model", "parameters", "seed", "hardware"),
    *("ranks", "precision", "dataset", "data_sha256", "split_sha256", "versions"),
)


class EpochBoard:
    """Writes what each epoch shows down for TensorBoard; to be used on rank zero alone.

    Args:
        run: The folder.
        config: The resolved config.
    """

    def __init__(self, run: Run, config: Mapping[str, Any]) -> None:
        self.run, self.config = run, config
        self.writers: dict[str, SummaryWriter] = {}

    def begin(self, trainer: Trainer, module: LightningModule) -> None:
        """Opens the files, and takes back what a process that was killed has said beyond here."""
        from torch.utils.tensorboard import SummaryWriter

        epoch = trainer.current_epoch
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                logger.go_on(trainer.global_step)
        self.writers = {
            part: SummaryWriter(str(self.run.file(part)), purge_step=epoch)
            for part in (*SERIES, FINAL)
        }
        start_session(self.writers[FINAL], self.config)
        train = self.writers["train"]
        text = safe_yaml.dump(dict(self.config))
        train.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()), epoch)
        add_graph(train, trainer, module)

    def first_batch(self, picture: np.ndarray) -> None:
        """Shows what the net is first trained on."""
        self.writers["train"].add_image("first_batch", picture, 0, dataformats="HWC")

    def write(self, rows: Sequence[Mapping[str, float]], seen: Validated | None) -> None:
        """Adds the last of the rows, and of a new best epoch the pictures."""
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


def summary(results: Mapping[str, Any]) -> str:
    """Gives what `results.json` says of a run as a Markdown table."""
    known = {key: results[key] for key in FACTS if key in results}
    lines = [f"| {key} | {value} |" for key, value in known.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def start_session(writer: "SummaryWriter", config: Mapping[str, Any]) -> None:
    """Tells the tab HParams the options of a run."""
    from torch.utils.tensorboard.summary import hparams as session

    _, start, _ = session(hparams(dict(config)), {})
    writer._get_file_writer().add_summary(start)


def add_test(run: Run, config: Mapping[str, Any], scores: Mapping[str, float], epoch: int) -> None:
    """Sets a test's scores in HParams, in place of those of the test before.

    Args:
        run: The folder.
        config: The resolved config.
        scores: Such as test_acc and test_loss.
        epoch: Of the tested weights.
    """
    from torch.utils.tensorboard import SummaryWriter

    withdraw_test(run)
    with SummaryWriter(str(run.file(FINAL)), filename_suffix=".test") as writer:
        start_session(writer, config)
        for name, value in scores.items():
            writer.add_scalar(f"final/{name}", value, epoch)


def withdraw_test(run: Run) -> None:
    """Takes the scores of a test out of HParams: it was of other weights than there are now."""
    for path in run.file(FINAL).glob("events.out.tfevents.*.test"):
        path.unlink()
