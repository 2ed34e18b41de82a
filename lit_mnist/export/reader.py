"""A run or a committee as a Python object: images in, labels and probabilities out.

digits = lit_mnist.load("tb_logs/deep/committee_5")
digits.predict("digit.png").labels
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_mnist.errors import UserError
from lit_mnist.models.averages import DEFAULT_AVERAGE
from lit_mnist.models.averaging import AVERAGES, combine
from lit_mnist.models.rebuild import rebuild
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.pictures.files import flattened, read_grey
from lit_mnist.pictures.read import digits_in
from lit_mnist.runs import checkpoints
from lit_mnist.runs.folder import Run
from lit_mnist.shape import SIDE_PX

BATCH = 500  # images in a forward pass
Picture = str | os.PathLike[str] | Image.Image
Images = np.ndarray | Tensor | Picture | Sequence[Picture]


class Answer(NamedTuple):
    """What is read in N images by M networks; M is 1 but for a committee.

    Attributes:
        labels: int64 (N,).
        probabilities: float32 (N, 10).
        votes: int64 (N, M): the class that each network puts first.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    votes: np.ndarray


class DigitReader:
    """Reads images with trained networks, on the CPU; several threads may share it.

    Args:
        networks: Modules from float images (N, 1, 28, 28) in [0, 1] to logits (N, 10).
        average: How several are averaged.
    """

    def __init__(
        self, networks: Sequence[ScoredModule], average: AVERAGES = DEFAULT_AVERAGE
    ) -> None:
        self.networks, self.average = [network.eval() for network in networks], average

    def predict(self, images: Images) -> Answer:
        """Names what the images show.

        Args:
            images: Light digits on dark ground in MNIST's form, one (28, 28) or many (N, 28, 28):
                uint8 from 0 to 255, or float from 0 to 1. Or one picture or several, as files or
                as Pillow's images, which are brought to that form.

        Raises:
            UserError: They are none of these.
        """
        scaled = _scaled(images)
        with torch.inference_mode():
            batches = [self._log_probs(batch) for batch in scaled.split(BATCH)]
        members = torch.cat(batches, dim=1)  # (M, N, 10)
        probabilities = combine(members, self.average).exp()
        return Answer(
            labels=probabilities.argmax(1).numpy(),
            probabilities=probabilities.numpy(),
            votes=members.argmax(2).T.numpy(),
        )

    def _log_probs(self, batch: Tensor) -> Tensor:
        return torch.stack([network(batch) for network in self.networks]).log_softmax(2)


def load(run_folder: str | os.PathLike[str], classes: Sequence[type] = ()) -> DigitReader:
    """Loads a run's best weights, or all members of a committee that was tested.

    Args:
        run_folder: Such as `tb_logs/deep/seed_42` or `tb_logs/deep/committee_5`.
        classes: Your own classes that its checkpoints name; nothing is imported on a file's word.

    Raises:
        UserError: There is no such run, or a checkpoint is damaged or of an unknown class.
    """
    run = Run(Path(run_folder))
    if run.best.is_file() or run.last.is_file():
        path = run.best if run.best.is_file() else run.last
        return DigitReader([rebuild(checkpoints.read(path), path, classes)])
    results = run.results()
    named = results.get("test_checkpoints")
    if not isinstance(named, list):
        raise UserError(
            f"{run.folder}: holds no trained run and no tested committee; train one with fit"
        )
    paths = [Path(os.path.normpath(run.folder / str(name))) for name in named]
    networks = [rebuild(checkpoints.read(path), path, classes) for path in paths]
    return DigitReader(networks, results.get("test_average") or DEFAULT_AVERAGE)


def _scaled(images: Images) -> Tensor:
    """Gives float32 (N, 1, 28, 28) in [0, 1]."""
    if isinstance(images, (str, os.PathLike, Image.Image)):
        images = [images]
    if isinstance(images, Sequence):
        found = [_read(picture) for picture in images]
        images = np.array(found, np.uint8).reshape(-1, SIDE_PX, SIDE_PX)
    pixels = torch.as_tensor(images)
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or pixels.shape[1:] != (SIDE_PX, SIDE_PX):
        raise UserError(
            f"images of shape {tuple(pixels.shape)}: give (28, 28) or (N, 28, 28), or pictures"
        )
    if pixels.dtype == torch.uint8:
        scaled = pixels.float() / 255
    elif pixels.is_floating_point() and (not len(pixels) or 0 <= pixels.min() <= pixels.max() <= 1):
        scaled = pixels.float()
    else:
        raise UserError(
            f"images of type {pixels.dtype}: give uint8 from 0 to 255, or float from 0 to 1"
        )
    return scaled[:, None]


def _read(picture: Picture) -> np.ndarray:
    """Brings the digit in a picture to MNIST's form, uint8 (28, 28)."""
    if isinstance(picture, Image.Image):
        grey, name = flattened(picture), "the picture"
    else:
        grey, name = read_grey(Path(picture)), str(picture)
    digits = digits_in(grey, "single")
    if not digits:
        raise UserError(f"{name}: no digit is found in it; give a picture of one")
    return digits[0].image
