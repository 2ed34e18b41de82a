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
from lit_mnist.files import refuse_url
from lit_mnist.pictures.grey import in_grey
from lit_mnist.shape import SIDE_PX

# A list of our own: Pillow would hand an EPS file to Ghostscript, which runs it as a program.
FORMATS: tuple[str, ...] = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
HEIC = (".heic", ".heif")
try:
    import pillow_heif  # an extra: the format of phone photographs
except ImportError:
    pillow_heif = None  # type: ignore[assignment] # mypy takes the name for a module
else:
    pillow_heif.register_heif_opener()
    FORMATS += ("HEIF",)
REMEDY = f"give a whole image file ({', '.join(FORMATS)})"
BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)
_OPENING = threading.Lock()  # warning filters are shared by all threads

SHEET_MARK = ("Software", "lit-mnist predict")  # in the sheet of pictures that `predict` writes

Layout = Literal["single", "auto"]  # what a picture holds: one digit, or any number


def find(paths: Sequence[str | Path]) -> list[Path]:
    """Lists the image files that `paths` name.

    Args:
        paths: Files; folders, each replaced by the image files directly inside it, sorted by name,
            without hidden ones and without the `digits.png` of an earlier `predict`; patterns such
            as `scans/*.png`.

    Returns:
        At least one path.

    Raises:
        UserError: `paths` is empty, one of them does not exist, or a folder holds no image.
    """
    if not paths:
        raise UserError("no image was given: name at least one image file or folder")
    files: list[Path] = []
    for path in map(os.path.expanduser, paths):
        # Unlike pathlib's, these two tests never raise
        if os.path.isfile(path):
            files.append(Path(path))
        elif os.path.isdir(path):
            files += _within(Path(path))
        elif matching := sorted(filter(os.path.isfile, glob.glob(str(path), recursive=True))):
            files += map(Path, matching)
        else:
            refuse_url(path)
            raise UserError(f"{str(path)!r} is not an existing file or folder: check the path")
    return files


def read(path: str | Path) -> np.ndarray:
    """Reads one image of any mode and size; of an animation, the first frame.

    Transparent pixels become white around dark ink and black around light ink. An image whose
    border is mostly light is inverted. A non-square image is padded with the colour of its border.

    Returns:
        uint8 `(28, 28)`; a 28x28 greyscale image of a light digit on dark ground is unchanged.

    Raises:
        UserError: The file is missing, unreadable, damaged, not an image, too large, or over 28
            times as long as wide.
    """
    return as_one_image(read_grey(path), str(path))


def as_one_image(grey: np.ndarray, name: str) -> np.ndarray:
    """Scales a whole picture, uint8 `(H, W)`, to 28x28 as `read` does; `name` is for messages.

    Raises:
        UserError: The picture is over 28 times as long as wide.
    """
    if max(grey.shape) > SIDE_PX * min(grey.shape):
        raise UserError(f"{name!r} is too narrow a strip to hold a digit: cut the digit out")
    return _fit(grey if np.median(_border(grey)) <= 127 else 255 - grey)


def read_grey(source: str | Path | BinaryIO) -> np.ndarray:
    """Reads one image of any mode and size, rotated as its EXIF data say, as greyscale.

    Args:
        source: A file's path, or an open binary file.

    Returns:
        uint8 `(H, W)`; transparent pixels as in `read`.

    Raises:
        UserError: The file is missing, unreadable, damaged, not an image, or too large.
    """
    name = repr(str(source)) if isinstance(source, (str, Path)) else "the picture"
    with _readable(name), _opened(source) as image:
        return in_grey(ImageOps.exif_transpose(image))


def flattened(image: Image.Image) -> np.ndarray:
    """Converts an opened image to greyscale as `read_grey` does, uint8 `(H, W)`.

    Raises:
        UserError: The image is damaged, has no pixels, or its mode cannot be converted to grey.
    """
    with _readable("the picture"):
        return in_grey(ImageOps.exif_transpose(image))


def _opened(source: str | Path | BinaryIO) -> Image.Image:
    """Opens an image and reads its header, which holds the size; pixels are read later."""
    with _OPENING, warnings.catch_warnings(action="error", category=BOMBS[0]):
        return Image.open(source, formats=FORMATS)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turns any error of reading an image into a UserError."""
    try:
        yield
    except BOMBS as error:
        raise UserError(f"{name} has too many pixels: shrink the image first") from error
    except Exception as error:  # a damaged file makes Pillow raise a dozen different kinds
        if pillow_heif is None and Path(name.strip("'\"")).suffix.lower() in HEIC:
            raise UserError(f"cannot read {name}: HEIC needs pip install pillow-heif") from error
        reason = getattr(error, "strerror", None) or "empty, damaged or no image"
        remedy = "allow reading" if isinstance(error, PermissionError) else REMEDY
        raise UserError(f"cannot read {name} ({reason}): {remedy}") from error


def read_all(paths: Sequence[str | Path]) -> np.ndarray:
    """Reads each file as `read` does, into one uint8 array `(N, 28, 28)`."""
    return np.array([read(path) for path in paths], np.uint8).reshape(-1, SIDE_PX, SIDE_PX)


def _within(folder: Path) -> list[Path]:
    """Lists the image files in `folder`, recognized by their suffixes."""
    endings = Image.registered_extensions()
    try:
        images = [
            file
            for file in folder.iterdir()
            if (endings.get(file.suffix.lower()) in FORMATS or file.suffix.lower() in HEIC)
            and not _is_sheet(file)
        ]
    except OSError as error:
        raise UserError(f"cannot list {str(folder)!r} ({error.strerror}): allow reading") from error
    # macOS puts a hidden "._x.png", which is no image, beside each x.png on foreign disks.
    files = sorted(file for file in images if os.path.isfile(file) and file.name[0] != ".")
    if not files:
        raise UserError(f"no image in the folder {str(folder)!r}: {REMEDY}")
    return files


def _is_sheet(file: Path) -> bool:
    """Returns whether a file is the sheet of an earlier `predict`, which is no picture to read."""
    if file.name != "digits.png":
        return False
    key, value = SHEET_MARK
    try:
        with _opened(file) as image:
            return image.info.get(key) == value
    except Exception:  # any damage is told when it is read
        return False


def _border(grey: np.ndarray) -> np.ndarray:
    """Returns the pixels along the four edges of `(H, W)`."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _fit(grey: np.ndarray) -> np.ndarray:
    """Resizes `(H, W)` to `(28, 28)`, keeping proportions, and pads with the border's colour."""
    # Area averaging exactly undoes an enlargement by repeated pixels. Below twice the target size
    # it displaces strokes: a classifier then makes a fifth more errors than with bicubic.
    large = max(grey.shape) >= 2 * SIDE_PX
    method = Image.Resampling.BOX if large else Image.Resampling.BICUBIC
    ground = int(np.median(_border(grey)))
    return np.array(ImageOps.pad(Image.fromarray(grey), (SIDE_PX, SIDE_PX), method, color=ground))
