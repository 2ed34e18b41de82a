"""The run's own TensorBoard logger."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from lit_mnist.logs.loggers import purge


class RunLogger(TensorBoardLogger):
    """TensorBoard logger of a run's scalars over its steps, without duplicates.

    It leaves out `hparams.yaml`, an incomplete copy of `config.yaml`, and `epoch`, which Lightning
    would log twice at the end of each epoch.
    """

    tested_step: int | None = None  # of the weights that are tested; None while training
    outdated: Sequence[Path] = ()  # files of an earlier test of the same weights
    withheld = False  # whether the test does not count, so that nothing is logged or replaced
    begun = False  # whether training has begun or a test has logged its scores

    @property
    def log_dir(self) -> str:
        """The run's folder; Lightning replaces a `$VAR` in its path, as no other file's does."""
        return str(Path(self.save_dir, self.name, str(self.version)))

    def set_test_step(self, step: int) -> None:
        """Logs a test's scores at the step of the tested weights, replacing an earlier test's."""
        self.tested_step = step
        ending = f".test_{step}"
        self._kwargs["filename_suffix"] = ending
        self.outdated = [*Path(self.log_dir).glob(f"events.out.tfevents.*{ending}")]

    def resume(self, trainer: Trainer, before: Mapping[str, Any]) -> None:
        """Purges what a killed process logged for the next step and later ones, as `purge` does."""
        self.begun = True
        purge(self, trainer, before)

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Logs scalars, unless they are of a test that does not count."""
        if self.withheld:
            return
        self.begun = True
        # Lightning adds `epoch` to what is logged at the end of a test, under any names
        scores = "epoch" in metrics or any(name.startswith("test_") for name in metrics)
        if self.tested_step is not None and scores:
            step = self.tested_step
            for path in self.outdated:
                path.unlink(missing_ok=True)
        super().log_metrics({k: v for k, v in metrics.items() if k != "epoch"}, step)

    def save(self) -> None:
        """Flushes the scalars, if any: a run that failed early leaves no folder."""
        if self._experiment is not None:
            self._experiment.flush()

    def finalize(self, status: str) -> None:
        """Closes the file, and removes it if what was to be logged in it was refused."""
        written = None if self.begun or self._experiment is None else self._experiment.file_writer
        super().finalize(status)
        if written:
            Path(written.event_writer._file_name).unlink()


def set_tested_step(trainer: Trainer, step: int) -> None:
    """Tells the run's own logger the step of the weights that are tested."""
    for logger in trainer.loggers:
        if isinstance(logger, RunLogger):
            logger.set_test_step(step)


def withhold(trainer: Trainer) -> None:
    """Tells the run's own logger that the test does not count: an earlier one's scores stay."""
    for logger in trainer.loggers:
        if isinstance(logger, RunLogger):
            logger.withheld = True
