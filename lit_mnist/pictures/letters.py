"""Draws letters in MNIST's form, in OpenCV's fonts, as examples of images that are no digit."""

from typing import NamedTuple

import cv2
import numpy as np

from lit_mnist.pictures.form import mnist_form

# Without those that resemble a digit, such as b, g, I, O, S and Z
LETTERS = "ACDEFHJKMNPQRTUVWXYacdefhjkmnprtuvwxy"
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_COMPLEX | cv2.FONT_ITALIC,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
EACH = 6  # drawings of each letter in each font
SIDE = 120  # side of the square in whose middle a letter is drawn, in pixels
PENS = (2, 9)  # range of the pen's width, in pixels
TURN = 12.0  # largest rotation either way, in degrees
SLANT, STRETCH = 0.3, 0.25  # largest shear and relative change of size, either way
WAVE, BENDS = 2.5, 5  # standard deviation of the bends in pixels; nodes of their grid per side


class Letters(NamedTuple):
    """N letters.

    Attributes:
        images: uint8 (N, 28, 28).
        labels: int64 (N,): index of each letter in the text that was drawn.
    """

    images: np.ndarray
    labels: np.ndarray


def draw_all(letters: str = LETTERS, each: int = EACH, seed: int = 0) -> Letters:
    """Draws each letter `each` times in each font, with random pens and distortions."""
    rng = np.random.default_rng(seed)
    count = len(FONTS) * each
    images = [
        mnist_form(draw(letter, FONTS[turn % len(FONTS)], rng))
        for letter in letters
        for turn in range(count)
    ]
    return Letters(np.stack(images), np.repeat(np.arange(len(letters)), count))


def draw(letter: str, font: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the ink of a randomly distorted letter, float32 `(120, 120)` in [0, 1]."""
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
