"""MNIST's form: the ink of one digit as a 28x28 image, preprocessed as MNIST's authors did.

They scaled each digit with anti-aliasing to fit a 20x20 box, keeping its aspect ratio, and placed
its centre of mass at the centre of 28x28 (http://yann.lecun.com/exdb/mnist).
"""

import cv2
import numpy as np

from lit_mnist.shape import SIDE_PX

BOX = 20
CENTRE = SIDE_PX / 2
# All of the first 6,000 training images have a longer side of 19 or 20 and a centre of mass
# between 13.49 and 14.50; the pixel more allows for JPEG compression.
SIDES = range(18, 22)
OFF_CENTRE = 1.0
# Stroke widths in pixels of the 20x20 box; 90 % of those 6,000 lie between 1.8 and 4.0
THINNEST, THICKEST = 1.8, 4.2
WIDENED, NARROWED = 2.4, 3.6
UNEVEN = 4.5  # times the median width; 99.97 % of the validation images stay below 3.4
ENLARGED = 8  # times; strokes are measured and changed at this size


def has_mnists_form(image: np.ndarray) -> bool:
    """Returns whether a light-on-dark image has the size and position of MNIST's digits.

    Args:
        image: uint8 `(H, W)`.
    """
    if image.shape != (SIDE_PX, SIDE_PX):
        return False
    _, _, width, height = cv2.boundingRect((image > 40).astype(np.uint8))
    return (
        max(width, height) in SIDES and np.abs(centre_of_mass(image) - CENTRE).max() <= OFF_CENTRE
    )


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    """Returns the centre of mass: column and row `(2,)`, from the centre of the first pixel."""
    moments = cv2.moments(image)
    mass = moments["m00"] or 1.0
    return np.array([moments["m10"] / mass, moments["m01"] / mass])


def mnist_form(ink: np.ndarray) -> np.ndarray:
    """Brings the ink of one digit to MNIST's form.

    Args:
        ink: float32 `(H, W)` from 0, ground, to 1, full ink, with any margin.

    Returns:
        uint8 `(28, 28)`, a light digit on black; all black if there is no ink.
    """
    left, top, width, height = cv2.boundingRect((ink > 0.1).astype(np.uint8))
    if not width:
        return np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    digit = even_strokes(ink[top : top + height, left : left + width])
    return centred(fit(digit, BOX))


def even_strokes(digit: np.ndarray) -> np.ndarray:
    """Widens very thin and narrows very thick strokes to MNIST's; other digits are unchanged.

    Args:
        digit: float32 `(H, W)` in [0, 1], cut to its bounding box.
    """
    large = fit(digit, BOX * ENLARGED)
    width = stroke_width(large) / ENLARGED
    if THINNEST <= width <= THICKEST:
        return digit
    target = WIDENED if width < THINNEST else NARROWED
    pad = ENLARGED * 2
    large = cv2.copyMakeBorder(large, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    pixels = round(abs(target - width) * ENLARGED / 2) * 2 + 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pixels, pixels))
    changed = cv2.dilate(large, pen) if width < THINNEST else cv2.erode(large, pen)
    left, top, width, height = cv2.boundingRect((changed > 0.1).astype(np.uint8))
    if not width:
        return digit
    return changed[top : top + height, left : left + width]


def stroke_width(ink: np.ndarray) -> float:
    """Returns the median stroke width in pixels, along the middle of the strokes; 0 without ink."""
    widths = stroke_widths(ink)
    return float(np.median(widths)) if widths.size else 0.0


def stroke_widths(ink: np.ndarray) -> np.ndarray:
    """Returns the stroke width in pixels at each point of the strokes' middle, float32 `(K,)`."""
    inside = cv2.copyMakeBorder((ink > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    middle = (distance > 0) & (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)))
    return 2 * distance[middle]


def is_written(digit: np.ndarray) -> bool:
    """Distinguishes pen strokes, of nearly even width, from patches of a photograph.

    Args:
        digit: float32 `(H, W)` in [0, 1], cut to its bounding box.
    """
    widths = stroke_widths(fit(digit, BOX * ENLARGED))
    return widths.size > 0 and float(widths.max() / np.median(widths)) <= UNEVEN


def fit(digit: np.ndarray, side: int) -> np.ndarray:
    """Resizes `(H, W)` so that its longer side is `side`."""
    height, width = digit.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return digit
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(digit, size, interpolation=method), 0, 1)


def centred(digit: np.ndarray) -> np.ndarray:
    """Places `(H, W)`, at most 20x20, with its centre of mass at the centre, in whole pixels."""
    image = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    height, width = digit.shape
    column, row = np.rint(CENTRE - centre_of_mass(digit)).astype(int)
    column, row = np.clip(column, 0, SIDE_PX - width), np.clip(row, 0, SIDE_PX - height)
    image[row : row + height, column : column + width] = np.rint(digit * 255)
    return image
