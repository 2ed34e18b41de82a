"""Compares an exported file's predictions for validation images with those of the run."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from lit_mnist.data import download
from lit_mnist.data.split import Partition, check_fold
from lit_mnist.errors import UserError
from lit_mnist.export.model import WholeModel

IMAGES = 1_000  # the first ones of the validation images
BATCHES = (1, 7, 500)  # sizes
TOLERANCE = 1e-5  # largest accepted difference of a probability


class FileReader(Protocol):
    """An exported file, loaded by its own runtime."""

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Maps images (N, 28, 28) to float32 (N, 10)."""


class ValidationData(NamedTuple):
    """The validation images of a run.

    Attributes:
        images: The first 1,000 validation images, or all if there are fewer: uint8 (N, 28, 28).
        train_count: Number of images that train.
        val_count: Number of images that validate.
    """

    images: np.ndarray
    train_count: int
    val_count: int


def validation_data(data: dict[str, Any], data_sha256: str) -> ValidationData:
    """Reads the validation images of a run's config.

    Args:
        data: The options of `MNISTDataModule`; missing ones have their defaults.
        data_sha256: Hash of the run's training files; empty if unknown.

    Raises:
        UserError: The files are not available or have a different hash.
    """
    partition = _partition(data)
    folder = Path(str(data.get("data_dir", "data")))
    dataset = str(data.get("dataset", "MNIST"))
    fetch = data.get("download") is not False
    split = download.load(dataset, "train", folder, fetch, option="--data_dir")
    if data_sha256 not in ("", split.sha256):
        raise UserError(
            f"{folder}: holds another {dataset} than the run was trained on; name the right folder"
            " with --data_dir"
        )
    train, val = partition.split(len(split.labels))
    return ValidationData(split.images[val[:IMAGES]].numpy(), len(train), len(val))


def _partition(data: dict[str, Any]) -> Partition:
    seed = data.get("split_seed", 42)
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UserError(
            f"the run's config.yaml has the split_seed {seed!r:.99}: give it an integer"
        )
    folds, fold = (data.get(key) for key in ("folds", "fold"))
    for key, value, lowest in (("folds", folds, 2), ("fold", fold, 0)):
        if value is not None and (not isinstance(value, int) or value < lowest):
            raise UserError(f"the run's config.yaml has {key} {value!r:.99}: give it an integer")
    check_fold(folds, fold, needed=True)
    return Partition(seed, folds, fold)


def check(reader: FileReader, model: WholeModel, images: np.ndarray) -> float:
    """Compares the file's predictions with the run's, in batches of 1, 7 and 500.

    Args:
        reader: The exported file.
        model: The run's networks.
        images: uint8 or float32 (N, 28, 28), as the file accepts them.

    Returns:
        The largest difference of a probability.

    Raises:
        UserError: The difference exceeds 1e-5, or is NaN.
    """
    with torch.inference_mode():
        expected = model(torch.from_numpy(images)).numpy()
    differences = [
        np.abs(reader.probabilities(images[start : start + size]) - expected[start : start + size])
        for size in BATCHES
        for start in range(0, len(images), size)
    ]
    largest = float(np.concatenate(differences).max())
    if not largest <= TOLERANCE:  # also catches NaN
        raise UserError(
            f"the file's probabilities differ from the run's by up to {largest:.3g}, so it was"
            " removed; export a network whose output depends only on the image"
        )
    return largest
