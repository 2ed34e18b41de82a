"""A run or a committee as a Python object that classifies images.

digits = lit_mnist.load("tb_logs/deep/committee_5")
digits.predict("digit.png").labels
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_mnist.data.datasets import DIGITS
from lit_mnist.errors import UserError
from lit_mnist.export.formats import FORMATS, format_module, require
from lit_mnist.export.model import WholeModel
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.models import novelty, novelty_file
from lit_mnist.models.averaging import combine
from lit_mnist.models.features import Features
from lit_mnist.pictures.files import as_one_image, flattened, read_grey
from lit_mnist.pictures.read import digits_in
from lit_mnist.runs.folder import Run
from lit_mnist.shape import SIDE_PX

BATCH = 500  # images in a forward pass
TAKEN = "(28, 28) or (N, 28, 28), paths, or Pillow's images"
Picture = str | os.PathLike[str] | Image.Image
Images = np.ndarray | Tensor | Picture | Sequence[Picture | np.ndarray | Tensor]


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
        abstention: Temperature and threshold of a sure prediction, both set on validation images.
        whole: Whether a picture is a single image, as for classes that are not digits.
    """

    def __init__(self, trained: TrainedRun, run: Run | None = None) -> None:
        self.model: WholeModel = trained.model()
        self.abstention, self.whole = trained.abstention, trained.dataset not in DIGITS
        self._named = trained._replace(checkpoints=[])  # without the weights
        self.features = Features(list(self.model.networks))
        self.novelty: novelty.Novelty | None = None
        if run and not self.whole:
            self.novelty, _ = novelty_file.load(
                run.novelty, trained.weights_sha256, self.features.widths
            )

    @property
    def labels(self) -> list[str]:
        """Names of the ten classes."""
        return self._named.labels

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
        pixels = self._pixels(images)
        with torch.inference_mode():
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

    def _pixels(self, images: Images) -> Tensor:
        """Returns (N, 28, 28), uint8 from 0 to 255 or float from 0 to 1."""
        if isinstance(images, (str, os.PathLike, Image.Image)):
            images = [images]
        if isinstance(images, Sequence) and not any(map(_is_array, images)):
            digits = [_read(picture, self.whole) for picture in images]
            images = np.array(digits, np.uint8).reshape(-1, SIDE_PX, SIDE_PX)
        return _checked(_tensor(images))


def load(run_folder: str | os.PathLike[str], classes: Sequence[type] = ()) -> DigitReader:
    """Loads a run's best weights, or all members of a committee that was tested.

    Args:
        run_folder: A run's folder, such as `tb_logs/deep/seed_42` or `tb_logs/deep/committee_5`,
            or a `.safetensors` file exported from one.
        classes: Your own classes that its checkpoints name; nothing is imported because a file
            says so.

    Raises:
        UserError: There is no such run, or a checkpoint is damaged or of an unknown class.
    """
    path = Path(os.path.expanduser(run_folder))
    return DigitReader(read_trained(path, classes), None if path.is_file() else Run(path))


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


def _is_array(value: object) -> bool:
    return isinstance(value, (np.ndarray, Tensor))


def _tensor(arrays: Any) -> Tensor:
    """Converts an array, or several of one shape; copies it, as torch warns of read-only ones."""
    try:
        many = isinstance(arrays, (list, tuple))
        return torch.from_numpy(np.array([*map(_fetched, arrays)] if many else _fetched(arrays)))
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"images: not an array of numbers ({error!s:.80}); give {TAKEN}") from error


def _fetched(array: Any) -> Any:
    """Fetches a tensor from its device, as NumPy's array."""
    return array.detach().cpu().numpy() if isinstance(array, Tensor) else array


def _checked(pixels: Tensor) -> Tensor:
    """Checks size and range of the pixels, and returns them as (N, 28, 28)."""
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[1:] != (SIDE_PX, SIDE_PX):
        raise UserError(f"images of shape {tuple(pixels.shape)}: give {TAKEN}")
    if pixels.dtype == torch.uint8:
        return pixels
    if pixels.is_floating_point() and (not len(pixels) or 0 <= pixels.min() <= pixels.max() <= 1):
        return pixels
    raise UserError(
        f"images of type {pixels.dtype}: give uint8 from 0 to 255, or float from 0 to 1"
    )


def _read(picture: object, whole: bool) -> np.ndarray:
    """Reads the digit in a picture, or the whole picture, as uint8 (28, 28)."""
    if isinstance(picture, Image.Image):
        grey, name = flattened(picture), "the picture"
    elif isinstance(picture, (str, os.PathLike)):
        grey, name = read_grey(Path(picture)), str(picture)
    else:
        raise UserError(f"{type(picture).__name__} among the images: give {TAKEN}")
    if whole:
        return as_one_image(grey, name)
    digits = digits_in(grey, "single")
    if not digits:
        raise UserError(f"{name}: no digit is found in it; give a picture of one")
    return digits[0].image
