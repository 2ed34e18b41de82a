"""Out-of-fold predictions: a committee of folds scores the training images that members held out.

Every training image is scored by exactly those members that were not trained on it, so the whole
training set validates. This validates the recipe, for committees of as many members as one fold
has; the committee of all members may well be better.
"""

import csv
from collections import Counter
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from lit_mnist import files, trainers
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.reports.calibration import Answers, nll
from lit_mnist.reports.committee_facts import committee_facts
from lit_mnist.reports.predictions import Collector, Predictions, predictions_csv
from lit_mnist.reports.statistics import wilson_interval
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.folder import Run
from lit_mnist.runs.relative_paths import relative
from lit_mnist.shape import CLASSES
from lit_mnist.training import changed_images

KEY = "out_of_fold"  # in results.json


class OutOfFold(Collector):
    """Writes `out_of_fold.csv` and its score when a committee of folds is validated.

    Args:
        run: The folder to write to.
        committee: The validated committee.
        config: The resolved config.
    """

    def __init__(self, run: Run, committee: EnsembleModule, config: dict[str, Any]) -> None:
        super().__init__()
        self.run, self.committee, self.config = run, committee, config
        self.summary = ""

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Collects the batch's predictions."""
        self.collect(batch, outputs)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the results on rank zero; nothing of only some images, or of other weights."""
        predictions = self.gathered(trainer)
        swapped, changed = changed_images.on_any_rank(trainer)
        if not trainer.is_global_zero:
            return
        scored = len(predictions.labels)
        total = len(trainers.data_module(trainer).val_indices)
        if scored < total:
            self.summary = f"{scored:,} of {total:,} images were scored: nothing is recorded"
            return
        if swapped or changed:
            self.summary = f"{swapped or changed}: nothing is recorded"
            return
        if "test_acc" not in self.run.results():  # a tested committee has these facts already
            config = safe_yaml.dump(self.config)
            files.write_text(self.run.config_yaml, config)
            facts = committee_facts(trainer, self.committee, self.config["name"])
            self.run.update_results(**facts)
        write(self.run, self.committee, predictions)
        self.summary = f"{summary(self.run.results()[KEY])}: see {self.run.out_of_fold}"


def write(run: Run, committee: EnsembleModule, predictions: Predictions) -> None:
    """Writes the table, and then its scores into `results.json`."""
    files.write_text(run.out_of_fold, predictions_csv(predictions))
    count = len(predictions.labels)
    correct = int((predictions.classes == predictions.labels).sum())
    found = {
        "acc": correct / count,
        "acc_ci95": [round(limit, 6) for limit in wilson_interval(correct, count)],
        "loss": nll(predictions.answers),
        "errors": count - correct,
        "images": count,
        "members_by_fold": members_by_fold(committee),
        "average": committee.average,
        "weights_sha256": committee.sha256,
        # relative, as `test_checkpoints` are
        "checkpoints": [relative(one.path, run.folder) for one in committee.members],
    }
    run.update_results(**{KEY: found})


def read(run: Run) -> Answers:
    """Reads the out-of-fold predictions of a committee of folds for each training image.

    Raises:
        UserError: The table is missing or damaged.
    """
    path = run.out_of_fold
    if not files.is_file(path):
        raise UserError(f"{path}: no such file; committee --folds K writes it")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = np.array(list(csv.reader(file))[1:], float)
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: damaged; run committee --folds again") from error
    sound = rows.ndim == 2 and rows.shape[1] == 3 + CLASSES and np.isfinite(rows).all()
    if not sound or (rows[:, 0] != np.arange(len(rows))).any():
        raise UserError(f"{path}: damaged; run committee --folds again")
    return Answers(rows[:, 3:], rows[:, 1].astype(int))


def members_by_fold(committee: EnsembleModule) -> list[int]:
    """Counts the members that held out each fold, which is how many score an image of it."""
    counts = Counter(member.fold for member in committee.members)
    return [counts[fold] for fold in range(committee.members[0].trained_on["folds"])]


def size(found: dict[str, Any]) -> str:
    """Returns the number of members that score an image, such as `1`, or `1 to 2`."""
    fewest, most = min(found["members_by_fold"]), max(found["members_by_fold"])
    return str(fewest) if fewest == most else f"{fewest} to {most}"


def summary(found: dict[str, Any]) -> str:
    """Summarises the entry of `results.json` in one line."""
    low, high = found["acc_ci95"]
    return (
        f"out of fold: accuracy {found['acc']:.4f} (95 % interval {low:.4f} to {high:.4f}),"
        f" {found['errors']} errors in {found['images']:,}; the members that score an image: "
        f"{size(found)}, of {sum(found['members_by_fold'])}"
    )
