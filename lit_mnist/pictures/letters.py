"""Draws letters in MNIST's form, in OpenCV's fonts, as examples of images that are no digit."""

from typing import NamedTuple

import cv2
import numpy as np

from lit_mnist.pictures.form import mnist_form

# Those that a digit may look like are left out, such as b, g, I, O, S and Z
LETTERS = "ACDEFHJKMNPQRTUVWXYacdefhjkmnprtuvwxy"
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_COMPLEX | cv2.FONT_ITALIC,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
EACH = 6  # times that a letter is drawn in a font
SIDE = 120  # pixels of the square that a letter is drawn on, in the middle
PENS = (2, 9)  # pixels: the thinnest and the broadest
TURN = 12.0  # degrees either way
SLANT, STRETCH = 0.3, 0.25  # either way, of 1
WAVE, BENDS = 2.5, 5  # pixels by which strokes bend (standard deviation), and over how many parts


class Letters(NamedTuple):
    """N letters.

    Attributes:
        images: uint8 (N, 28, 28).
        labels: int64 (N,): which of `LETTERS` each is.
    """

    images: np.ndarray
    labels: np.ndarray


def draw_all(letters: str = LETTERS, each: int = EACH, seed: int = 0) -> Letters:
    """Draws each letter in each font so many times, every one another way."""
    rng = np.random.default_rng(seed)
    count = len(FONTS) * each
    images = [
        mnist_form(draw(letter, FONTS[turn % len(FONTS)], rng))
        for letter in letters
        for turn in range(count)
    ]
    return Letters(np.stack(images), np.repeat(np.arange(len(letters)), count))


def draw(letter: str, font: int, rng: np.random.Generator) -> np.ndarray:
    """Gives the ink of a letter, float32 `(120, 120)` in [0, 1], written by a hand of its own."""
    ink: np.ndarray = np.zeros((SIDE, SIDE), np.uint8)
    (width, height), _ = cv2.getTextSize(letter, font, 2, 1)
    corner = ((SIDE - width) // 2, (SIDE + height) // 2)
    cv2.putText(ink, letter, corner, font, 2, 255, int(rng.integers(*PENS)))
    turn = np.deg2rad(rng.uniform(-TURN, TURN))
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    across, down = rng.uniform(1 - STRETCH, 1 + STRETCH, 2)
    hand = turned @ np.array([[across, rng.uniform(-SLANT, SLANT)], [0, down]])
    bends = rng.normal(0, WAVE, (2, BENDS, BENDS))
    wave = np.stack(
        [cv2.resize(bend, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for bend in bends]
    )
    centred = np.mgrid[:SIDE, :SIDE][::-1] - SIDE / 2
    columns, rows = np.tensordot(hand, centred, 1) + SIDE / 2 + wave
    bent = cv2.remap(ink, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    return bent.astype(np.float32) / 255
