"""A user's image files, brought to the form of MNIST: 28x28 uint8, a light digit on dark ground."""

import glob
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps

from lit_mnist.errors import UserError
from lit_mnist.pictures.grey import in_grey
from lit_mnist.shape import SIDE_PX

# A list of our own: Pillow would hand an EPS file to Ghostscript, which runs it as a program.
FORMATS: tuple[str, ...] = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
HEIC = (".heic", ".heif")
try:
    import pillow_heif  # an extra: what phones take
except ImportError:
    pillow_heif = None  # type: ignore[assignment] # the way to say that a module is not there
else:
    pillow_heif.register_heif_opener()
    FORMATS += ("HEIF",)
REMEDY = f"give a whole image file ({', '.join(FORMATS)})"
BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
_OPENING = threading.Lock()  # what becomes of warnings is set for all threads

Layout = Literal["single", "auto"]  # what a picture holds: one digit, or any number


def find(paths: Sequence[str | Path]) -> list[Path]:
    """Lists the image files that `paths` stand for.

    Args:
        paths: Files, taken as they are; folders, each replaced by the image files directly
            within it, sorted by name, hidden ones left out; patterns such as `scans/*.png`.

    Returns:
        At least one path.

    Raises:
        UserError: `paths` is empty, one of them does not exist, or a folder holds no image.
    """
    if not paths:
        raise UserError("no image was given: name at least one image file or folder")
    files: list[Path] = []
    for path in paths:
        # Unlike pathlib's, these two tests never raise, whatever the path.
        if os.path.isfile(path):
            files.append(Path(path))
        elif os.path.isdir(path):
            files += _within(Path(path))
        elif matching := sorted(filter(os.path.isfile, glob.glob(str(path), recursive=True))):
            files += map(Path, matching)
        else:
            raise UserError(f"{str(path)!r} is not an existing file or folder: check the path")
    return files


def read(path: str | Path) -> np.ndarray:
    """Reads one image of any mode and size; of an animation, the first frame.

    Transparent pixels become white around dark ink and black around light ink. An image whose
    border is mostly light is inverted. One that is not square is padded with its border's colour.

    Returns:
        uint8 `(28, 28)`; a 28x28 greyscale image of a light digit on a dark ground comes unchanged.

    Raises:
        UserError: The file is missing, may not be read, is damaged, is no image, is too
            large, or is over 28 times as long as wide.
    """
    return as_one_image(read_grey(path), str(path))


def as_one_image(grey: np.ndarray, name: str) -> np.ndarray:
    """Brings a whole picture, uint8 `(H, W)`, to MNIST's form as `read` does; `name` is its file's.

    Raises:
        UserError: It is over 28 times as long as wide.
    """
    if max(grey.shape) > SIDE_PX * min(grey.shape):
        raise UserError(f"{name!r} is too narrow a strip to hold a digit: cut the digit out")
    return _fit(grey if np.median(_border(grey)) <= 127 else 255 - grey)


def read_grey(source: str | Path | BinaryIO) -> np.ndarray:
    """Reads one image of any mode and size as it is shown, transparent pixels as in `read`.

    Args:
        source: A file, or the content of one.

    Returns:
        uint8 `(H, W)`.

    Raises:
        UserError: The file is missing, may not be read, is damaged, is no image, is too large.
    """
    name = repr(str(source)) if isinstance(source, (str, Path)) else "the picture"
    with _readable(name), _opened(source) as image:
        return in_grey(ImageOps.exif_transpose(image))


def flattened(image: Image.Image) -> np.ndarray:
    """Gives an opened image as it is shown, uint8 `(H, W)`, transparent pixels as in `read`.

    Raises:
        UserError: It is damaged, has no pixels, or is of a mode that has no greys.
    """
    with _readable("the picture"):
        return in_grey(ImageOps.exif_transpose(image))


def _opened(source: str | Path | BinaryIO) -> Image.Image:
    """Reads a file's first bytes, in which its size stands."""
    with _OPENING, warnings.catch_warnings(action="error", category=BOMBS[0]):
        return Image.open(source, formats=FORMATS)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Says of what is no picture that it is none."""
    try:
        yield
    except BOMBS as error:
        raise UserError(f"{name} has too many pixels: shrink the image first") from error
    except Exception as error:  # a damaged file makes Pillow raise a dozen different kinds
        if pillow_heif is None and Path(name.strip("'\"")).suffix.lower() in HEIC:
            raise UserError(f"cannot read {name}: HEIC needs pip install pillow-heif") from error
        reason = getattr(error, "strerror", None) or "empty, damaged or no image"
        raise UserError(f"cannot read {name} ({reason}): {REMEDY}") from error


def read_all(paths: Sequence[str | Path]) -> np.ndarray:
    """Reads each file as `read` does, into one uint8 array `(N, 28, 28)`."""
    return np.array([read(path) for path in paths], np.uint8).reshape(-1, SIDE_PX, SIDE_PX)


def _within(folder: Path) -> list[Path]:
    """Gives the image files in `folder`, told by the endings of their names."""
    endings = Image.registered_extensions()
    try:
        images = [
            file
            for file in folder.iterdir()
            if endings.get(file.suffix.lower()) in FORMATS or file.suffix.lower() in HEIC
        ]
    except OSError as error:
        raise UserError(f"cannot list {str(folder)!r} ({error.strerror}): allow reading") from error
    # macOS puts a hidden "._x.png", which is no image, beside each x.png on foreign disks.
    files = sorted(file for file in images if os.path.isfile(file) and file.name[0] != ".")
    if not files:
        raise UserError(f"no image in the folder {str(folder)!r}: {REMEDY}")
    return files


def _border(grey: np.ndarray) -> np.ndarray:
    """Gives the pixels along the four edges of `(H, W)`."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _fit(grey: np.ndarray) -> np.ndarray:
    """Resizes `(H, W)` to `(28, 28)` in its own proportions, the rest in its border's colour."""
    # Averaging areas gives back exactly what was enlarged by repeating pixels, but below twice
    # the size it displaces strokes, which costs a classifier a fifth more errors than cubic does.
    large = max(grey.shape) >= 2 * SIDE_PX
    method = Image.Resampling.BOX if large else Image.Resampling.BICUBIC
    ground = int(np.median(_border(grey)))
    return np.array(ImageOps.pad(Image.fromarray(grey), (SIDE_PX, SIDE_PX), method, color=ground))
