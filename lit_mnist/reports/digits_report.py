"""Writes the files of `predict`: the digits in the user's pictures as table, JSON and sheet.

How a picture is prepared for the net is in `pictures/read.py`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from lit_mnist import files, trainers
from lit_mnist.data.batches import Batch
from lit_mnist.data.datasets import class_names
from lit_mnist.errors import UserError
from lit_mnist.models import novelty, novelty_file
from lit_mnist.models.ensemble import nets_of
from lit_mnist.models.features import Features
from lit_mnist.models.sureness import Abstention
from lit_mnist.pictures.read import Picture
from lit_mnist.reports import digits_sheet
from lit_mnist.reports.digits_table import (
    HEAD,
    Row,
    digits_csv,
    digits_json,
    picture_rows,
    screen_table,
)
from lit_mnist.reports.figures import DIGITS
from lit_mnist.reports.predictions import Collector, Predictions, probabilities
from lit_mnist.runs.folder import Run
from lit_mnist.shape import CLASSES
from lit_mnist.training import changed_images

NAMES = ("digits.csv", "digits.json", "digits.png")


def check_output(folder: Path, pictures: Sequence[Path]) -> None:
    """Checks, before pictures are read, that a folder can take the files of `predict`.

    Args:
        folder: The folder; it may be missing.
        pictures: Files of the user's pictures.

    Raises:
        UserError: A picture or another file of the user's would be replaced.
        OSError: The folder cannot be written to.
    """
    files.check_output(folder, NAMES, HEAD)
    sheet = folder / NAMES[-1]
    if sheet.exists() and any(map(sheet.samefile, pictures)):
        raise UserError(
            f"{sheet}: is one of the pictures, and would be replaced; name another folder with"
            " --output"
        )


class PredictReport(Collector):
    """Prints the digits found, and writes digits.csv, digits.json and digits.png.

    Args:
        run: The run of the model.
        weights_sha256: Hash of the weights.
        output: The folder to write to; None for the run's.
    """

    def __init__(self, run: Run, weights_sha256: str, output: Path | None = None) -> None:
        super().__init__()
        self.run, self.folder = run, output or run.folder
        self.abstention = Abstention.of(run.results(), weights_sha256)
        self.weights_sha256 = weights_sha256
        self.discards = False  # whether a user's predict_step has returned something else

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts capturing the nets' features, for the detector of images that are no digit."""
        self.features = Features(nets_of(pl_module))
        self.cascade = bool(getattr(pl_module, "thresholds", ()))  # it asks only some nets

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Collects the batch's predictions."""
        features = self.features.take(len(batch.labels))
        predicted = probabilities(outputs, pl_module, batch)
        ours = type(pl_module).predict_step.__module__.startswith("lit_mnist.")
        self.discards |= predicted is not outputs and not ours  # ours may have returned NaN
        again = self.features.take(len(predicted))  # if the module was evaluated once more
        features = again if again.shape[1] else features
        self.collect(batch, predicted, features=None if self.cascade else features)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints and writes the results on rank zero; nothing if only some digits were read."""
        self.features.remove()
        predictions = self.gathered(trainer)
        swapped, changed = changed_images.on_any_rank(trainer)
        if not trainer.is_global_zero:
            return
        data = trainers.data_module(trainer)
        read, total = len(predictions.labels), len(data.digits)
        if read < total:
            print(f"{read} of {total} digits were read: nothing is written")
            return
        if swapped:
            print(f"{swapped}: these are not the answers of the checkpoint's weights")
            self.abstention, self.weights_sha256 = Abstention(), ""  # as if never tested
        if changed:
            print(f"{changed}: these are not the answers to your pictures")
        if self.discards:
            print(
                f"{type(pl_module).__name__}: its own predict_step returns no probabilities"
                f" (N, {CLASSES}), so these answers are what `evaluate` returns"
            )
        names = class_names(data.dataset)
        chances = predictions.probabilities.numpy()
        sure = self.abstention.sure(chances)
        rejected, why_not = self.rejected(predictions, digits=names is None)
        rows = picture_rows(data.pictures, chances, sure, rejected, names or DIGITS)
        self.write(data.pictures, rows)
        print(screen_table(rows))
        threshold = f"{self.abstention.threshold:.6g} ({self.abstention.source})"
        print(f'digits are marked "not sure" up to a confidence of {threshold}')
        if why_not:
            print(f"letters and other shapes may be read as digits: {why_not}")
        print(f"digits.csv, digits.json, digits.png: see {self.folder}")

    def rejected(self, predictions: Predictions, *, digits: bool) -> tuple[np.ndarray, str]:
        """Returns which images are no digit, bool (D,), and why features were not used, else empty.

        If the classes are not digits, nothing is rejected.
        """
        if not digits:
            return np.zeros(len(predictions.labels), bool), ""
        rule, missing = novelty_file.load(
            self.run.novelty, self.weights_sha256, self.features.widths
        )
        features = predictions.features.numpy()
        if rule and len(features) and not features.shape[1]:
            rule, missing = None, "not every net has features of every image, as in a cascade"
        return novelty.no_digit(predictions.probabilities.numpy(), rule, features), missing

    def write(self, pictures: Sequence[Picture], rows: Sequence[list[Row]]) -> None:
        """Writes the three files from the rows of each picture."""
        table, as_json, sheet = (self.folder / name for name in NAMES)
        files.write_text(table, digits_csv(rows))
        files.write_text(as_json, digits_json(rows))
        digits_sheet.save(pictures, rows, sheet)
