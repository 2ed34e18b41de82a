"""A run's folder: the paths of its files, and reading its small ones."""

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from lit_mnist import files, locks
from lit_mnist.errors import UserError
from lit_mnist.runs import results_file

BEST, LAST = "best.ckpt", "last.ckpt"
FINAL = "final"  # sub-folder of what TensorBoard's HParams tab shows
# Columns of metrics.csv; what a user logs follows them
COLUMNS = ("epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds")


@dataclass(frozen=True)
class Run:
    """The folder `tb_logs/<name>/seed_<seed>/`. All names of files in it are defined here."""

    folder: Path

    @classmethod
    def of_seed(
        cls, log_dir: Path, name: str, seed: int, folds: int | None = None, fold: int | None = None
    ) -> Self:
        """Returns the run of one network; with folds, its folder is `seed_42_fold_0_of_5`."""
        return cls(log_dir / name / f"seed_{seed}{_part(folds, fold)}")

    @classmethod
    def of_committee(
        cls,
        log_dir: Path,
        name: str,
        members: int,
        folds: int | None = None,
        fold: int | None = None,
    ) -> Self:
        """Returns the run of a committee: `committee_5`; with folds, `committee_5_folds_5`."""
        return cls(log_dir / name / f"committee_{members}{_part(folds, fold)}")

    @property
    def config_yaml(self) -> Path:
        """The resolved options."""
        return self.folder / "config.yaml"

    @property
    def results_json(self) -> Path:
        """Scores, and facts about the training and the test."""
        return self.folder / "results.json"

    @property
    def metrics_csv(self) -> Path:
        """The values of each epoch."""
        return self.folder / "metrics.csv"

    @property
    def best(self) -> Path:
        """The checkpoint with the highest validation accuracy."""
        return self.folder / "checkpoints" / BEST

    @property
    def last(self) -> Path:
        """The checkpoint of the last finished epoch."""
        return self.folder / "checkpoints" / LAST

    @property
    def predictions(self) -> Path:
        """Predictions of its test for each image."""
        return self.folder / "predictions.csv"

    @property
    def votes(self) -> Path:
        """Predictions of each member of a committee for each image."""
        return self.folder / "votes.csv"

    @property
    def out_of_fold(self) -> Path:
        """Predictions of a committee of folds for the training images that members held out."""
        return self.folder / "out_of_fold.csv"

    @property
    def novelty(self) -> Path:
        """The detector of images that are no digit."""
        return self.folder / "novelty.npz"

    def file(self, name: str) -> Path:
        """Path of another file of the run, such as `curves.png`."""
        return self.folder / name

    def exists(self) -> bool:
        """Whether at least one epoch is on disk."""
        return self.last.exists() or self.best.exists()

    def results(self) -> dict[str, Any]:
        """Content of `results.json`; empty before the first epoch."""
        return results_file.read(self.results_json)

    def evaluated(self) -> tuple[Path, str]:
        """The checkpoint to evaluate, and why it is not the best; empty if it is."""
        if self.best.exists() or not self.last.exists():
            return self.best, ""
        kept = "best_val_acc" in self.results()
        why = "was deleted or moved" if kept else "no such checkpoint, as no best was kept"
        return self.last, f"{self.best}: {why}; taking {self.last}"

    def update_results(self, **values: Any) -> None:
        """Updates entries of `results.json` and keeps the others."""
        self.change_results(lambda known: known | values)

    def change_results(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Changes `results.json`, which `fit` and `test` may do at once, and neither for the other.

        Args:
            change: Returns the new content for the present one, soon: other processes wait for it.
        """
        with locks.alone_in(self.folder):
            before = self.results()
            after = change(before)
            if after != before:
                files.write_json(self.results_json, after)

    def history(self) -> list[dict[str, float]]:
        """The rows of `metrics.csv`, one per epoch; NaN where nothing was measured."""
        path = self.metrics_csv
        if not files.is_file(path):
            return []
        try:
            with path.open(encoding="utf-8", newline="") as file:
                return [
                    {"epoch": float(row["epoch"])}
                    | {name: float(value or math.nan) for name, value in row.items()}
                    for row in csv.DictReader(file)
                ]
        except (ValueError, TypeError, KeyError, csv.Error) as error:
            raise UserError(f"{path}: damaged; remove it, and fit writes it again") from error

    def written(self) -> list[Path]:
        """The files that a fresh run replaces: not the ledger, reports and exports."""
        records = (self.config_yaml, self.results_json, self.metrics_csv)
        tables = (self.predictions, self.votes, self.novelty)
        digits = ("digits.csv", "digits.json", "digits.png")
        pictures = ("curves.png", "misclassified.png", "confusion.png")
        patterns = ("checkpoints/*.ckpt", "events.out.tfevents.*", "*/events.out.tfevents.*")
        named = (*(path.name for path in (*records, *tables)), *digits, *pictures)
        return [path for name in (*named, *patterns) for path in self.folder.glob(name)]

    def exports_and_reports(self) -> list[Path]:
        """Those that are there under their usual names, which a fresh run keeps."""
        exports = ("MODEL_CARD.md", "model.onnx", "model.pt2", "model.safetensors")
        return [path for name in (*exports, "report.html") if (path := self.file(name)).exists()]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes from training the same run; removes temporary files of killed ones.

        Raises:
            UserError: Another process is training it.
        """
        missing = [place for place in (self.folder, *self.folder.parents) if not place.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.file(".lock"))
        try:
            lock.acquire(timeout=0.3)  # `runs` takes the lock for a moment
        except Timeout:
            raise UserError(
                f"{self.folder}: another process is training this run; wait for it, or choose"
                " another --name or --seed_everything"
            ) from None
        try:
            for folder in (self.folder, self.last.parent):
                files.remove_temporaries(folder)
            yield
        finally:
            self.file(".lock").unlink(missing_ok=True)
            lock.release()
            for place in missing:  # a run that never began leaves no folders
                with suppress(OSError):
                    place.rmdir()


def _part(folds: int | None, fold: int | None) -> str:
    """Suffix of a folder's name for its fold; empty for the notebook's split."""
    if folds is None:
        return ""
    return f"_folds_{folds}" if fold is None else f"_fold_{fold}_of_{folds}"
