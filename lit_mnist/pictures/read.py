"""Reads a user's picture: each digit in MNIST's form, and its box in the picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from lit_mnist import messages
from lit_mnist.errors import UserError
from lit_mnist.pictures import files
from lit_mnist.pictures.files import Layout
from lit_mnist.pictures.find import find_digits
from lit_mnist.pictures.form import has_mnists_form, mnist_form
from lit_mnist.pictures.ground import find_ink
from lit_mnist.pictures.parts import Box
from lit_mnist.shape import SIDE_PX

MOST_PIXELS = 2_000_000  # larger pictures are shrunk to this before digits are searched
MANY = 20  # pictures from which a progress bar is shown
THUMBNAIL_PX = 320  # longer side of a thumbnail


class Digit(NamedTuple):
    """A digit, as the input of the network."""

    box: Box  # in pixels of the picture, after EXIF rotation
    image: np.ndarray  # uint8 (28, 28), light on dark


class Picture(NamedTuple):
    """A picture file and the digits found in it."""

    file: Path
    width: int
    height: int
    thumbnail: np.ndarray  # uint8 (h, w), greyscale
    digits: list[Digit]  # in reading order


def read_paths(
    paths: Sequence[str | Path], layout: Layout = "auto", *, whole: bool = False
) -> list[Picture]:
    """Reads pictures; prints an error for each that cannot be read, and reads the others.

    Args:
        paths: Files, folders and patterns.
        layout: "single" if each picture holds one digit, "auto" for any number.
        whole: Whether each picture is a single image, as for classes that are not digits.

    Raises:
        UserError: There is no picture, or none can be read.
    """
    paths_found, unread = found_at(paths)
    pictures = []
    hidden = None if len(paths_found) >= MANY else True  # None: hidden unless on a terminal
    for path in tqdm(paths_found, unit=" pictures", leave=False, disable=hidden):
        try:
            pictures.append(read_whole(path) if whole else read_picture(path, layout))
        except UserError as error:
            unread.append(str(error))
    if not pictures and len(unread) == 1:
        raise UserError(unread[0])
    if unread:
        messages.warn("\n".join(unread))
    if not pictures:
        raise UserError(f"none of the {len(unread)} pictures can be read; each is named above")
    return pictures


def found_at(paths: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """Returns the files at the paths, and an error message for each path without one."""
    if not paths:
        files.find([])  # raises the error
    found: list[Path] = []
    problems: list[str] = []
    for path in paths:
        try:
            found += files.find([path])
        except UserError as error:
            problems.append(str(error))
    return found, problems


def digit_images(pictures: Sequence[Picture]) -> np.ndarray:
    """Stacks the digits of all pictures, uint8 `(D, 28, 28)`."""
    images = [digit.image for picture in pictures for digit in picture.digits]
    return np.array(images, np.uint8).reshape(-1, SIDE_PX, SIDE_PX)


def read_picture(path: Path, layout: Layout = "auto") -> Picture:
    """Reads a picture and finds its digits.

    Raises:
        UserError: The file cannot be read.
    """
    grey = files.read_grey(path)
    height, width = grey.shape
    return Picture(path, width, height, thumbnail(grey), digits_in(grey, layout))


def read_whole(path: Path) -> Picture:
    """Reads a picture as a single image, scaled to 28x28.

    Raises:
        UserError: The file cannot be read, or is over 28 times as long as wide.
    """
    grey = files.read_grey(path)
    height, width = grey.shape
    digit = Digit(Box(0, 0, width, height), files.read(path))
    return Picture(path, width, height, thumbnail(grey), [digit])


def digits_in(grey: np.ndarray, layout: Layout = "auto") -> list[Digit]:
    """Finds the digits of a picture, uint8 `(H, W)`; an image in MNIST's form is unchanged."""
    height, width = grey.shape
    for image in (grey, 255 - grey):
        if has_mnists_form(image):
            return [Digit(Box(0, 0, width, height), image)]
    shrunk = shrink(grey)
    across, down = width / shrunk.shape[1], height / shrunk.shape[0]
    return [
        Digit(scaled(found.box, across, down), mnist_form(found.ink))
        for found in find_digits(find_ink(shrunk), layout)
    ]


def shrink(grey: np.ndarray) -> np.ndarray:
    """Shrinks a picture to at most two million pixels."""
    scale = (MOST_PIXELS / grey.size) ** 0.5
    return resized(grey, scale) if scale < 1 else np.ascontiguousarray(grey)


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """Shrinks a picture to a thumbnail."""
    scale = THUMBNAIL_PX / max(grey.shape)
    return resized(grey, scale) if scale < 1 else grey.copy()


def resized(grey: np.ndarray, scale: float) -> np.ndarray:
    """Shrinks a picture by area averaging; no side gets shorter than a pixel."""
    size = [max(1, round(side * scale)) for side in reversed(grey.shape)]
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def scaled(box: Box, across: float, down: float) -> Box:
    """Converts a box from pixels of the shrunk picture to those of the original."""
    x, y = round(box.x * across), round(box.y * down)
    return Box(x, y, round(box.right * across) - x, round(box.bottom * down) - y)
