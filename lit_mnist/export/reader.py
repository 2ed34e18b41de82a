"""A run or a committee as a Python object that classifies images.

digits = lit_mnist.load("tb_logs/deep/committee_5")
digits.predict("digit.png").labels
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lit_mnist import files
from lit_mnist.data.datasets import DIGITS
from lit_mnist.errors import UnknownClassError, UserError
from lit_mnist.export.arrays import Images, pixels_of
from lit_mnist.export.formats import FORMATS, format_module, require
from lit_mnist.export.model import WholeModel
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.models import novelty, novelty_file
from lit_mnist.models.averaging import combine
from lit_mnist.models.features import Features
from lit_mnist.models.trained import listed
from lit_mnist.runs.folder import Run

BATCH = 500  # images in a forward pass


class Answer(NamedTuple):
    """Predictions of M networks for N images; M is 1 except for a committee.

    Attributes:
        labels: int64 (N,).
        probabilities: float32 (N, 10).
        votes: int64 (N, M): the class that each network predicts.
        no_digit: bool (N,): images that show no digit; always False if the classes are not digits.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    votes: np.ndarray
    no_digit: np.ndarray


class DigitReader:
    """Classifies images with trained networks on the CPU; several threads may share it.

    Args:
        trained: The networks, how they are averaged, and when a prediction counts as sure.
        run: The run whose detector of images that are no digit is used; None: use probabilities.

    Attributes:
        labels: Names of the ten classes.
        abstention: Temperature and threshold of a sure prediction, both set on validation images.
        whole: Whether a picture is a single image, as for classes that are not digits.
    """

    def __init__(self, trained: TrainedRun, run: Run | None = None) -> None:
        self.model: WholeModel = trained.model()
        trained.say_unused([step for step in trained.own_steps() if step != "validation_step"])
        self.abstention, self.whole = trained.abstention, trained.dataset not in DIGITS
        self.labels = trained.labels
        self.features = Features(list(self.model.networks))
        self.novelty: novelty.Novelty | None = None
        if run and not self.whole:
            self.novelty, _ = novelty_file.load(
                run.novelty, trained.weights_sha256, self.features.widths
            )

    def sure(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns which predictions are sure, bool (N,), from probabilities (N, 10)."""
        return self.abstention.sure(probabilities)

    def predict(self, images: Images) -> Answer:
        """Classifies images.

        Args:
            images: Light digits on dark ground in MNIST's form, one (28, 28) or many (N, 28, 28):
                uint8 from 0 to 255, or float from 0 to 1. Or one or several pictures, as paths or
                Pillow images: the digit in each is found and brought to MNIST's form. If the
                classes are not digits, the whole picture is scaled instead.

        Raises:
            UserError: The images are none of these, or no digit is found in a picture.
        """
        pixels = pixels_of(images, self.whole)
        self.features.clear()
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):  # the caller's
            batches = [self.model.log_probs(batch) for batch in pixels.split(BATCH)]
            members = torch.cat(batches, dim=1)  # (M, N, 10)
            probabilities = combine(members, self.model.average).exp().numpy()
            features = self.features.take(len(pixels)).numpy()
        rejected = novelty.no_digit(probabilities, self.novelty, features)
        return Answer(
            labels=probabilities.argmax(1),
            probabilities=probabilities,
            votes=members.argmax(2).T.numpy(),
            no_digit=np.zeros(len(rejected), bool) if self.whole else rejected,
        )


def load(run_folder: str | os.PathLike[str], classes: type | Sequence[type] = ()) -> DigitReader:
    """Loads a run's best weights, or all members of a committee that was tested.

    Args:
        run_folder: A run's folder, such as `tb_logs/deep/seed_42` or `tb_logs/deep/committee_5`,
            or a `.safetensors` file exported from one.
        classes: Your own class, or classes, that its checkpoints name; nothing is imported because
            a file says so.

    Raises:
        UserError: There is no such run, a checkpoint is damaged or of an unknown class, or a class
            is given by its name.
    """
    files.refuse_url(str(run_folder))
    path = Path(os.path.expanduser(run_folder))
    try:
        trained = read_trained(path, listed(classes))
        return DigitReader(trained, None if path.is_file() else Run(path))
    except UnknownClassError as error:
        raise UserError(error.in_python()) from error


def read_trained(path: Path, classes: Sequence[type] = ()) -> TrainedRun:
    """Reads the folder of a run or committee, or a `.safetensors` file, for `load`."""
    if not path.is_file():
        return TrainedRun.read(Run(path), classes)
    if path.suffix in (kind.suffix for name, kind in FORMATS.items() if name != "safetensors"):
        raise UserError(
            f"{path}: is for its own runtime, see its MODEL_CARD.md; give a run's folder, or a"
            " .safetensors file"
        )
    if path.suffix == ".ckpt":
        raise UserError(f"{path}: is a checkpoint; give its run's folder, as {path.parent.parent}")
    require("safetensors")
    return format_module("safetensors").read(path, classes)
