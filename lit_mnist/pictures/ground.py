"""Separates ink from the background, on uneven paper and in uneven light."""

from typing import NamedTuple

import cv2
import numpy as np

GROUND_SIDE = 64  # pixels of the shorter side at which the ground is estimated
MIDDLE = 128  # grey level of the paper after slowly varying light is subtracted
COARSE = 2.0  # roughness of a paper, with folds and fibres, in multiples of its grain
AROUND = 0.8  # window of the median, as a fraction of the shorter side: mostly paper, not ink
# Ink differs from the ground by at least this many standard deviations of the paper's noise ...
NOISE = 5.0
FAINTEST = 14.0  # ... and by at least this many of 255 grey levels


class Ink(NamedTuple):
    """How much each pixel differs from the ground, in the direction of the ink."""

    strength: np.ndarray  # float32 (H, W), grey levels, 0 or more
    threshold: float  # grey levels; anything weaker is paper


def find_ink(grey: np.ndarray) -> Ink:
    """Separates ink from the ground, dark on light or light on dark.

    Args:
        grey: uint8 `(H, W)`.
    """
    small, around = reduced(grey)
    light = slow_light(small)
    flat = np.clip(small - light + MIDDLE, 0, 255).astype(np.uint8)
    shade = median(flat, around).astype(np.float32) - MIDDLE
    ground = np.clip(shade + light, 0, 255).astype(np.uint8)
    difference = grey - enlarged(ground, grey.shape)
    grain = grey - cv2.blur(grey, (3, 3)).astype(np.float32)
    # Where dense ink has shifted the estimated ground, the grain is the better measure of noise
    noise = min(deviation(difference), COARSE * deviation(grain))
    threshold = max(FAINTEST, NOISE * noise)
    lighter, darker = (np.where(d > threshold, d, 0).sum() for d in (difference, -difference))
    filled = without_pits(ground if darker >= lighter else 255 - ground)
    ink = enlarged(filled, grey.shape) - (grey if darker >= lighter else 255 - grey)
    return Ink(np.maximum(ink, 0), threshold)


def reduced(grey: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the picture at the size at which the ground is estimated, and the median's window."""
    scale = min(1.0, GROUND_SIDE / min(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small, max(3, round(min(small.shape) * AROUND)) | 1


def slow_light(small: np.ndarray) -> np.ndarray:
    """Fits slowly varying light, which fades to a side or the corners, by a quadratic surface.

    The fit is repeated three times, each time without pixels far from the last one, such as ink.

    Returns:
        float32 `(h, w)`.
    """
    height, width = small.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    grey = small.reshape(-1).astype(np.float64)
    far = np.abs(grey - np.median(grey))
    for _ in range(3):
        near = far <= max(4.0, 2 * float(np.median(far)))
        light = terms @ np.linalg.lstsq(terms[near], grey[near], rcond=None)[0]
        far = np.abs(grey - light)
    return light.reshape(height, width).astype(np.float32)


def median(flat: np.ndarray, around: int) -> np.ndarray:
    """Returns the median over a wide window, uint8 `(h, w)`.

    It follows light and shadow, keeps the edge of a sheet, and ignores strokes that cover less
    than half of the window.
    """
    pad = around // 2
    # A small picture is usually cut tight around its digit, so beyond it there is paper
    beyond = cv2.BORDER_CONSTANT if min(flat.shape) < GROUND_SIDE else cv2.BORDER_REFLECT
    padded = cv2.copyMakeBorder(flat, pad, pad, pad, pad, beyond, value=MIDDLE)
    smooth = cv2.medianBlur(padded, around)
    return smooth[pad : pad + flat.shape[0], pad : pad + flat.shape[1]]


def without_pits(ground: np.ndarray) -> np.ndarray:
    """Fills dark pits in a light ground, where dense strokes cover most of the window.

    A pit is a region from which every path to the border rises; fading light is not one.
    """
    level = np.full_like(ground, 255)
    level[0], level[-1], level[:, 0], level[:, -1] = (
        ground[0],
        ground[-1],
        ground[:, 0],
        ground[:, -1],
    )
    while True:
        lower = np.maximum(cv2.erode(level, np.ones((3, 3), np.uint8)), ground)
        if np.array_equal(lower, level):
            return level
        level = lower


def enlarged(ground: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the ground at the picture's size, float32 `(H, W)`."""
    return cv2.resize(ground.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)


def deviation(difference: np.ndarray) -> float:
    """Estimates the standard deviation of the paper, by the median so that ink is ignored."""
    return 1.4826 * float(np.median(np.abs(difference - np.median(difference))))
