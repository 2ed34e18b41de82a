"""Renders digits as people photograph them: on paper, by pens, in uneven light, as JPEG.

Everything is drawn from MNIST's images with a generator of fixed seed; sizes are in pixels for a
digit about 100 pixels high.
"""

import string
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

HEIGHT = 100
PAPER, PEN = 235.0, 40.0  # grey levels of plain paper and of a usual pen
Rng = np.random.Generator
# Letters that no digit looks like
LETTERS = "".join(
    letter for letter in string.ascii_letters if letter not in "ABDGIJLOQSTUVZabdghijlnoqstuvyz"
)
# Looked at for no choice of ours, unlike those of OpenCV and DejaVu
PRINTED = ("STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10", "cmti10")


def ink_of(image: np.ndarray, height: int = HEIGHT) -> np.ndarray:
    """Returns the ink of an MNIST image, float32 in [0, 1], its 20 pixels made `height`."""
    side = round(height * 28 / 20)
    large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(large.astype(np.float32) / 255, 0, 1)


def on_paper(ink: np.ndarray, paper: np.ndarray | float = PAPER, pen: float = PEN) -> np.ndarray:
    """Draws ink (H, W) on paper; returns float32 grey levels."""
    return (paper * (1 - ink) + np.minimum(paper, pen) * ink).astype(np.float32)


def photographed(picture: np.ndarray, rng: Rng, noise: float = 2.0) -> np.ndarray:
    """Adds a sensor's noise; returns uint8."""
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def light(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    """Returns light that fades to one side and to the corners, from 1 to 0.45."""
    rows, columns = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = 0.2 * (np.cos(angle) * rows + np.sin(angle) * columns)
    return (0.8 + slope - 0.12 * (rows**2 + columns**2) / 2 * rng.uniform(0, 2)).clip(0.45, 1)


def ruled(shape: tuple[int, ...], step: float, *, squared: bool, rng: Rng) -> np.ndarray:
    """Returns paper with lines 2 pixels thick, slightly turned, paler than a pen."""
    height, width = shape
    paper = np.full(shape, PAPER, np.float32)
    slope, start = rng.uniform(-0.01, 0.01), rng.uniform(0.2, 0.8) * step
    for at in np.arange(start, height, step):
        cv2.line(paper, (0, round(at)), (width, round(at + slope * width)), 150, 2)
    for at in np.arange(start, width, step) if squared else ():
        cv2.line(paper, (round(at), 0), (round(at - slope * height), height), 150, 2)
    return paper


def stroked(ink: np.ndarray, change: int) -> np.ndarray:
    """Widens or thins strokes by a number of pixels."""
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1,) * 2)
    return cv2.dilate(ink, pen) if change > 0 else cv2.erode(ink, pen)


def framed(ink: np.ndarray, pen: float = 90) -> np.ndarray:
    """Draws the box of a form around a digit."""
    picture = on_paper(ink)
    side = len(picture)
    cv2.rectangle(picture, (4, 4), (side - 5, side - 5), pen, 3)
    return picture


def turned(ink: np.ndarray, degrees: float) -> np.ndarray:
    """Rotates a digit about its middle."""
    centre = (ink.shape[1] / 2, ink.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(centre, degrees, 1)
    return cv2.warpAffine(ink, turn, ink.shape[::-1], flags=cv2.INTER_LINEAR)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Compresses an image as JPEG and decompresses it."""
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))


def shifted(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Shifts an MNIST image by up to five pixels each way, keeping the ink inside."""
    left, top, width, height = cv2.boundingRect(image)
    column = np.clip(rng.choice((-5, 5)), -left, 28 - left - width)
    row = np.clip(rng.choice((-5, 5)), -top, 28 - top - height)
    return np.roll(image, (row, column), axis=(0, 1))


def sheet(images: np.ndarray, rng: Rng) -> np.ndarray:
    """Writes ten digits in two uneven lines of five, lit from the side."""
    paper = np.zeros((380, 840), np.float32)
    for place, image in enumerate(images):
        line, column = divmod(place, 5)
        ink = ink_of(image, round(HEIGHT * rng.uniform(0.7, 1)))
        top = 15 + 185 * line + round(rng.uniform(0, 20))
        left = 20 + 160 * column + round(rng.uniform(0, 20))
        region = paper[top : top + len(ink), left : left + len(ink)]
        np.maximum(region, ink, out=region)
    return photographed(on_paper(paper) * light(paper.shape, rng), rng)


DAMAGES: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "plain paper": lambda image, rng: photographed(on_paper(ink_of(image)), rng),
    "moved by 5 of 28 pixels": shifted,
    "inverted": lambda image, rng: 255 - image,
    "enlarged 20 times": lambda image, rng: np.kron(255 - image, np.ones((20, 20), np.uint8)),
    "small": lambda image, rng: photographed(on_paper(ink_of(image, 24)), rng),
    "box of a form": lambda image, rng: photographed(framed(ink_of(image)), rng),
    "thin pen": lambda image, rng: photographed(on_paper(stroked(ink_of(image), -5)), rng),
    "broad pen": lambda image, rng: photographed(on_paper(stroked(ink_of(image), 6)), rng),
    "blurred": lambda image, rng: photographed(
        cv2.GaussianBlur(on_paper(ink_of(image)), (0, 0), 3), rng
    ),
    "pale ink": lambda image, rng: photographed(on_paper(ink_of(image), pen=170), rng),
    "tilted by 10 degrees": lambda image, rng: photographed(
        on_paper(turned(ink_of(image), rng.uniform(-10, 10))), rng
    ),
    "uneven light": lambda image, rng: photographed(
        on_paper(ink_of(image)) * light(ink_of(image).shape, rng), rng
    ),
    "coarse paper": lambda image, rng: photographed(on_paper(ink_of(image)), rng, noise=14),
    "ruled paper": lambda image, rng: photographed(
        on_paper(ink_of(image), ruled((140, 140), 90, squared=False, rng=rng)), rng
    ),
    "squared paper": lambda image, rng: photographed(
        on_paper(ink_of(image), ruled((140, 140), 60, squared=True, rng=rng)), rng
    ),
    "JPEG, quality 20": lambda image, rng: jpeg(photographed(on_paper(ink_of(image)), rng), 20),
}


def letters(rng: np.random.Generator) -> list[np.ndarray]:
    """Draws letters on paper in three of OpenCV's fonts."""
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)
    pictures = []
    for font in fonts:
        for letter in LETTERS:
            picture = np.full((160, 160), PAPER, np.uint8)
            cv2.putText(picture, letter, (40, 110), font, 3, PEN, 7)
            pictures.append(photographed(picture, rng))
    return pictures


def printed_letters(rng: np.random.Generator) -> list[np.ndarray]:
    """Draws letters on paper in fonts that come with Matplotlib."""
    pictures = []
    for name in PRINTED:
        font = ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", f"{name}.ttf"), 110)
        for letter in LETTERS:
            picture = Image.new("L", (160, 160), int(PAPER))
            ImageDraw.Draw(picture).text((80, 80), letter, int(PEN), font, anchor="mm")
            pictures.append(photographed(np.asarray(picture, np.float32), rng))
    return pictures
