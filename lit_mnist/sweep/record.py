"""`sweep.json`: the current state of every trial of a sweep, for reports and people."""

import json
from pathlib import Path
from typing import Any, NamedTuple, Self

from lit_mnist import files
from lit_mnist.errors import UserError

NAME = "sweep.json"
STATES = ("complete", "pruned", "failed", "running")


class Trial(NamedTuple):
    """The state of one trial.

    Attributes:
        number: How many trials began before it, as in `trial_<number>`.
        state: One of `STATES`.
        val_acc: Best validation accuracy of its epochs, in [0, 1]; None before the first.
        epochs: Number of epochs trained.
        options: Its values of the searched options.
        error: Why it failed; empty if it did not.
    """

    number: int
    state: str
    val_acc: float | None
    epochs: int
    options: dict[str, Any]
    error: str = ""


class Record(NamedTuple):
    """The state of a sweep.

    Attributes:
        name: Name of the run whose options are searched.
        wanted: Number of trials to complete.
        space: The space that is searched, by option, in plain values.
        trials: The trials, in the order in which they began.
    """

    name: str
    wanted: int
    space: dict[str, Any]
    trials: list[Trial]

    @property
    def best(self) -> Trial | None:
        """The complete trial with the highest validation accuracy; the first of equal ones."""
        completed = [trial for trial in self.trials if trial.state == "complete"]
        return max(completed, key=lambda trial: trial.val_acc or 0.0, default=None)

    def count(self, state: str) -> int:
        """Counts the trials in a state."""
        return sum(trial.state == state for trial in self.trials)

    def write(self, folder: Path) -> None:
        """Writes the file."""
        trials = [trial._asdict() for trial in self.trials]
        best = self.best.number if self.best else None
        content = {**self._asdict(), "best": best, "trials": trials}
        files.write_json(folder / NAME, content)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the file.

        Raises:
            UserError: It is damaged.
        """
        path = folder / NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            trials = [Trial(**trial) for trial in content["trials"]]
            record = cls(content["name"], content["wanted"], content["space"], trials)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise UserError(f"{path}: damaged; run the same sweep again to rewrite it") from error
        if not _valid(record):
            raise UserError(f"{path}: damaged; run the same sweep again to rewrite it")
        return record


def _valid(record: Record) -> bool:
    return isinstance(record.space, dict) and all(
        isinstance(trial.number, int)
        and trial.state in STATES
        and isinstance(trial.val_acc, (float, int, type(None)))
        and isinstance(trial.options, dict)
        for trial in record.trials
    )


def folder_of(log_dir: Path, name: str) -> Path:
    """Returns the folder of a sweep, which is the log folder of its trials' runs."""
    return log_dir / name / "sweep"


def trial_name(number: int) -> str:
    """Returns the name of a trial's run."""
    return f"trial_{number:03d}"
