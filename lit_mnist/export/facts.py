"""Facts about an exported run, for the file's metadata and its model card."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Self

from lit_mnist.errors import UserError
from lit_mnist.export.formats import PIXELS
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.runs import checkpoints, tested
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import read_config


class Facts(NamedTuple):
    """Facts about a run or a committee.

    Attributes:
        run: The run or committee.
        members: Content of `results.json` of each network's run; empty where that is not known.
        trained: Its weights.
        results: Content of its `results.json`.
        config: Content of the `config.yaml` of its first network; only a committee's own data
            options where that is not known.
        untested: Why it has no valid test result; empty if it has one.
        own_steps: Steps of a single network's own that the exported file lacks; what they have
            scored is not said of it.
    """

    run: Run
    members: list[dict[str, Any]]
    trained: TrainedRun
    results: dict[str, Any]
    config: dict[str, Any]
    untested: str
    own_steps: Sequence[str] = ()

    @classmethod
    def of(cls, run: Run, trained: TrainedRun) -> Self:
        """Collects the facts.

        Raises:
            UserError: A run is not finished, or one of its files is damaged.
        """
        for one in (run, *filter(None, trained.runs)):
            check_finished(one)
        members = [one.results() if one else {} for one in trained.runs]
        steps = trained.own_steps()
        untested = tested.why_untested(run, trained.weights_sha256)
        if "test_step" in steps and not untested:
            untested = "the test called a test_step of the run's own, which the file lacks"
        first = trained.runs[0]
        config = read_config((first or run).config_yaml)
        config = config if first else {"data": config.get("data")}
        return cls(run, members, trained, run.results(), config, untested, steps)

    @property
    def name(self) -> str:
        """Name of the run, such as `deep`."""
        return str(self.results.get("name", self.run.folder.resolve().parent.name))

    @property
    def networks(self) -> list[str]:
        """Class name of each network."""
        return [checkpoints.class_name(one).rpartition(".")[2] for one in self.trained.checkpoints]

    @property
    def calibration(self) -> dict[str, Any]:
        """Calibration measured on the test images; empty without a valid test."""
        entry = self.results.get("calibration")
        if self.untested or not isinstance(entry, dict) or "temperature" not in entry:
            return {}
        return entry

    @property
    def data(self) -> dict[str, Any]:
        """Options of the data module."""
        return {"dataset": self.trained.dataset} | (self.config.get("data") or {})

    @property
    def picture(self) -> Path | None:
        """Path of the picture of misclassified test images; None without a valid test."""
        path = self.run.file("misclassified.png")
        return path if path.is_file() and not self.untested else None

    def metadata(self, pixels: str) -> dict[str, str]:
        """Returns the file's metadata as texts; lists and numbers are in JSON."""
        return {
            "name": self.name,
            "networks_count": json.dumps(len(self.networks)),
            "average": self.trained.average,
            "dataset": self.trained.dataset,
            "labels": json.dumps(self.trained.labels),
            "pixels": f"{pixels} from {PIXELS[pixels]}, light on dark",
            "temperature": json.dumps(self.trained.abstention.temperature),
            "threshold": json.dumps(self.trained.abstention.threshold),
            "threshold_source": self.trained.abstention.source,
            "weights_sha256": self.trained.weights_sha256,
            "program": f"lit-mnist {version('lit-mnist')}",
        }


def check_finished(run: Run) -> None:
    """Checks that a run's training is complete.

    Raises:
        UserError: It is still running or was interrupted.
    """
    status = run.results().get("status", "complete")  # runs trained in Python have none
    if status != "complete":
        raise UserError(f"{run.folder}: its training is not complete; finish it with fit first")
