"""The trained networks of a run or a committee, and how they are averaged."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, get_args

from lit_mnist import files
from lit_mnist.data.datasets import DATASETS, labels
from lit_mnist.errors import UserError
from lit_mnist.export.model import WholeModel
from lit_mnist.models import own_steps
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.models.sureness import Abstention
from lit_mnist.models.trained import network
from lit_mnist.runs import best_score, checkpoints, digests, entries, of_training, tested
from lit_mnist.runs.folder import Run
from lit_mnist.runs.relative_paths import found
from lit_mnist.runs.trained_on import check_pixels, fingerprint_of

# Parts of a checkpoint, by Lightning, that only training needs; beside ours, the rest, to which a
# module's own `on_save_checkpoint` may have added, rebuilds the network
_TRAINING_KEYS = {"callbacks", "loops", "optimizer_states", "lr_schedulers"}
_AVERAGING_KEYS = {"current_model_state", "averaging_state"}


class TrainedRun(NamedTuple):
    """The best weights of a run, or of all members of a committee.

    Attributes:
        paths: Paths of the M checkpoints; M is 1 except for a committee.
        checkpoints: Their contents, without the training state.
        average: How several networks are averaged.
        dataset: Name of the dataset that they were trained on.
        abstention: When a prediction counts as sure.
        classes: The user's own classes that the checkpoints may name.
        own_labels: The user's names of the ten classes; empty for the data set's names.
        scores: What `checkpoints.scores` returns for each checkpoint.
        runs: The run that each was trained in; None where it is not known.
    """

    paths: list[Path]
    checkpoints: list[dict[str, Any]]
    average: AVERAGES
    dataset: str
    abstention: Abstention
    classes: Sequence[type] = ()
    own_labels: Sequence[str] = ()
    scores: Sequence[dict[str, float]] = ()
    runs: Sequence[Run | None] = ()

    @classmethod
    def read(cls, run: Run, classes: Sequence[type] = ()) -> Self:
        """Reads the checkpoints of a run, or of a committee that was tested.

        Raises:
            UserError: There is no such run, or a checkpoint is damaged.
        """
        path, note = run.evaluated()
        if not note and (unsaved := best_score.unsaved(run)):
            note = f"{unsaved}; taking {path}"
        if note:
            print(note, file=sys.stderr)
        paths, average, results = [path], DEFAULT_AVERAGE, run.results()
        if not files.is_file(path):
            paths, average = _committee(run, results)
        essentials, scores, runs = [], [], list[Run | None]()
        for file in paths:
            one = checkpoints.read(file)
            scores.append(checkpoints.scores(one))
            runs.append(of_training.run_of(file, one) if len(paths) > 1 else run)
            essentials.append(_essentials(one))
            check_pixels(essentials[-1], file)
        abstention = Abstention.of(results, _weights_sha256(essentials, average))
        dataset = _dataset(paths, essentials)
        return cls(paths, essentials, average, dataset, abstention, classes, (), scores, runs)

    def model(self) -> WholeModel:
        """Builds the networks.

        Raises:
            UserError: A checkpoint is of an unknown class, or does not fit its class.
        """
        pairs = zip(self.checkpoints, self.paths, strict=True)
        networks = [network(checkpoint, path, self.classes) for checkpoint, path in pairs]
        return WholeModel(networks, self.average)

    def own_steps(self) -> list[str]:
        """Returns the steps of its own that a single network has, which only a trainer calls.

        Those of a committee's members are called in no test of the committee either.
        """
        if len(self.paths) > 1:
            return []
        return own_steps.of(self.checkpoints[0], self.paths[0], self.classes)

    def say_unused(self, steps: Sequence[str]) -> None:
        """Tells which steps of its own a single network has, if any, as they are not called."""
        if told := own_steps.unused(self.checkpoints[0], steps):
            print(told, file=sys.stderr)

    @property
    def labels(self) -> list[str]:
        """Names of the ten classes."""
        return list(self.own_labels) or labels(self.dataset)

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights, comparable to that of the tested weights in `results.json`."""
        return _weights_sha256(self.checkpoints, self.average)


def _essentials(checkpoint: dict[str, Any]) -> dict[str, Any]:
    unneeded = _TRAINING_KEYS | _AVERAGING_KEYS | entries.OF_TRAINING
    return {key: value for key, value in checkpoint.items() if key not in unneeded}


def _committee(run: Run, results: dict[str, Any]) -> tuple[list[Path], AVERAGES]:
    """Returns the checkpoints of a tested committee and how they are averaged."""
    named = results.get("test_checkpoints")
    average: Any = results.get("test_average") or DEFAULT_AVERAGE
    if not named and "out_of_fold" in results:
        raise UserError(f"{run.folder}: is not tested; run its committee without --skip_test")
    was_tested = not named and "test_weights_sha256" in results
    if was_tested and (why := tested.why_untested(run)):  # as by a version that noted no files
        raise UserError(f"{run.folder}: {why}; test it again")
    if not named or not isinstance(named, list) or average not in get_args(AVERAGES):
        raise UserError(
            f"{run.folder}: holds no trained run and no tested committee; train one with fit"
        )
    return [found(str(name), run.folder) for name in named], average


def _dataset(paths: Sequence[Path], essentials: Sequence[dict[str, Any]]) -> str:
    """Returns the name of the dataset that all networks were trained on.

    Raises:
        UserError: They were trained on different datasets, or on an unknown one.
    """
    datasets = {
        str(fingerprint_of(one).get("dataset", "MNIST")): path
        for one, path in zip(essentials, paths, strict=True)
    }
    for name, path in datasets.items():
        if name not in DATASETS:
            known = ", ".join(DATASETS)
            raise UserError(f"{path}: trained on the data set {name!r:.99}; known are {known}")
    if len(datasets) > 1:
        listed = " and ".join(f"{path} on {name}" for name, path in datasets.items())
        raise UserError(f"trained on several data sets, {listed}; test the committee again")
    return next(iter(datasets))


def _weights_sha256(essentials: Sequence[dict[str, Any]], average: str) -> str:
    hashes = [digests.of_weights(one["state_dict"]) for one in essentials]
    return hashes[0] if len(hashes) == 1 else digests.of_committee(average, hashes)
