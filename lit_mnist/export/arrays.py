"""The images that `lit_mnist.load(…).predict` takes: arrays, files and Pillow's images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_mnist.data.as_batch import unit_floats
from lit_mnist.errors import UserError
from lit_mnist.pictures.files import as_one_image, flattened, read_grey
from lit_mnist.pictures.read import digits_in
from lit_mnist.shape import SIDE_PX

TAKEN = "(28, 28) or (N, 28, 28), paths, or Pillow's images"
Picture = str | os.PathLike[str] | Image.Image
Array = np.ndarray | Tensor | memoryview
Images = Array | Picture | Sequence[Picture | Array]


def pixels_of(images: Images, whole: bool) -> Tensor:
    """Returns images (N, 28, 28): uint8 from 0 to 255, or float from 0 to 1.

    Args:
        images: As `DigitReader.predict` takes them.
        whole: Whether a picture is a single image, as for classes that are not digits.

    Raises:
        UserError: They are something else, or a picture shows no digit.
    """
    if isinstance(images, (str, os.PathLike, Image.Image)):
        images = [images]
    if isinstance(images, Sequence) and not isinstance(images, memoryview):
        return _stacked([_one(image, whole) for image in images])
    return _checked(_tensor(images))


def _one(image: object, whole: bool) -> Tensor:
    """Returns one of several images as (28, 28): an array's pixels, or what a picture shows."""
    if not isinstance(image, Array):
        return _tensor(_read(image, whole))
    pixels = _tensor(image)
    if pixels.shape != (SIDE_PX, SIDE_PX):
        shape = tuple(pixels.shape)
        raise UserError(f"an image of shape {shape} among several: give each as (28, 28)")
    return _checked(pixels)[0]


def _stacked(images: list[Tensor]) -> Tensor:
    """Joins images (28, 28), in floats from 0 to 1 if their types differ."""
    if not images:
        return torch.empty(0, SIDE_PX, SIDE_PX, dtype=torch.uint8)
    if len({image.dtype for image in images}) > 1:
        images = [unit_floats(image).float() for image in images]
    return torch.stack(images)


def _tensor(array: Any) -> Tensor:
    """Converts an array; copies it, as torch warns of read-only ones."""
    try:
        return torch.from_numpy(np.array(_fetched(array)))
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"images: not an array of numbers ({error!s:.80}); give {TAKEN}") from error


def _fetched(array: Any) -> Any:
    """Fetches a tensor from its device, as NumPy's array; NumPy has no bfloat16."""
    if not isinstance(array, Tensor):
        return array
    fetched = array.detach().cpu()
    return (fetched.float() if fetched.dtype == torch.bfloat16 else fetched).numpy()


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
