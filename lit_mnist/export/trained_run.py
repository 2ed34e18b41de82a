"""What a run or a committee has learned: its networks, and how they are averaged."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from lit_mnist.errors import UserError
from lit_mnist.export.model import WholeModel
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.models.trained import network
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run

# Of a checkpoint, what a network is built again from; the rest is for training to go on
NETWORK_KEYS = ("state_dict", "hyper_parameters", "model_class", "MNISTDataModule")


class TrainedRun(NamedTuple):
    """The best weights of a run, or of all members of a committee.

    Attributes:
        paths: The M checkpoints; M is 1 but for a committee.
        checkpoints: What they hold, without the state of training.
        average: How several are averaged.
        classes: The user's own classes that they may name.
    """

    paths: list[Path]
    checkpoints: list[dict[str, Any]]
    average: AVERAGES
    classes: Sequence[type] = ()

    @classmethod
    def read(cls, run: Run, classes: Sequence[type] = ()) -> Self:
        """Reads the checkpoints of a run, or of a committee that was tested.

        Raises:
            UserError: There is no such run, or a checkpoint is damaged.
        """
        paths, average = [run.best if run.best.is_file() else run.last], DEFAULT_AVERAGE
        if not paths[0].is_file():
            results = run.results()
            named = results.get("test_checkpoints")
            if not isinstance(named, list):
                raise UserError(
                    f"{run.folder}: holds no trained run and no tested committee; train one with"
                    " fit"
                )
            paths = [Path(os.path.normpath(run.folder / str(name))) for name in named]
            average = results.get("test_average") or DEFAULT_AVERAGE
        essentials = [
            {key: value for key, value in checkpoints.read(path).items() if key in NETWORK_KEYS}
            for path in paths
        ]
        return cls(paths, essentials, average, classes)

    def model(self) -> WholeModel:
        """Builds the networks.

        Raises:
            UserError: A checkpoint is of an unknown class, or does not fit its class.
        """
        pairs = zip(self.checkpoints, self.paths, strict=True)
        networks = [network(checkpoint, path, self.classes) for checkpoint, path in pairs]
        return WholeModel(networks, self.average)

    @property
    def dataset(self) -> str:
        """What the networks were trained on."""
        return str(self.checkpoints[0].get("MNISTDataModule", {}).get("dataset", "MNIST"))

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights, as `results.json` has it of those that were tested."""
        hashes = [checkpoints.weights_sha256(one["state_dict"]) for one in self.checkpoints]
        alone = len(hashes) == 1
        return hashes[0] if alone else checkpoints.committee_sha256(self.average, hashes)
