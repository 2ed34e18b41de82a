"""Small pictures as plain arrays, for TensorBoard: images in rows, and a confusion matrix.

Matplotlib would take a tenth of a second for each, as long as several training steps. They are
about as wide as TensorBoard's cards, which drop columns of pixels from wider pictures.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
SCALE, GAP, LINE_PX, COLUMNS = 2, 6, 13, 5  # an image's enlargement; pixels; images in a row
CELL_PX = (28, 18)  # of a confusion matrix: width, height
GROUND, INK, FAINT = (24, 24, 24), (255, 255, 255), (200, 200, 200)
TRUE, PREDICTED, ERROR = (86, 180, 233), (230, 159, 0), (213, 94, 0)  # Okabe and Ito's


def grid(images: np.ndarray, captions: Sequence[Sequence[tuple[str, Colour]]] = ()) -> np.ndarray:
    """Lays images out in rows of five, each above the lines of its caption.

    Args:
        images: uint8 (N, H, W), N at least 1.
        captions: Lines with their colours for each image, equally many for all.

    Returns:
        uint8 (height, width, 3).
    """
    large = images.repeat(SCALE, 1).repeat(SCALE, 2)
    count, height, width = large.shape
    step_x = width + GAP
    step_y = height + GAP + LINE_PX * (len(captions[0]) if captions else 0)
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    sheet = np.full((rows * step_y + GAP, columns * step_x + GAP, 3), GROUND, np.uint8)
    corners = [(GAP + i % COLUMNS * step_x, GAP + i // COLUMNS * step_y) for i in range(count)]
    for image, (x, y) in zip(large, corners, strict=True):
        sheet[y : y + height, x : x + width] = image[..., None]
    if not captions:
        return sheet
    picture = Image.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    for caption, (x, y) in zip(captions, corners, strict=True):
        for line, (text, colour) in enumerate(caption):
            place = x + width / 2, y + height + LINE_PX * (line + 0.5)
            _write(draw, place, text, colour, width=step_x)
    return np.array(picture)


def confusion(matrix: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Draws a confusion matrix: rows true, columns predicted, coloured only by its errors.

    Args:
        matrix: int (C, C): entry (t, p) counts the images of class t that were taken for p.
        names: Names of the C classes.

    Returns:
        uint8 (height, width, 3), white where nothing was counted.
    """
    diagonal = np.eye(len(matrix), dtype=bool)
    errors = np.where(diagonal, 0, matrix)
    share = errors[..., None] / max(errors.max(initial=0), 1)
    cells = np.full((len(matrix) + 1, len(matrix) + 1, 3), 255.0)  # first row and column: names
    cells[1:, 1:] -= share * (255.0 - np.array(ERROR))
    cells[1:, 1:][diagonal] = FAINT
    width, height = CELL_PX
    sheet = cells.round().astype(np.uint8).repeat(height, 0).repeat(width, 1)
    picture = Image.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    texts = {(0, place + 1): name for place, name in enumerate(names)}
    texts |= {(place + 1, 0): name for place, name in enumerate(names)}
    texts |= {(t + 1, p + 1): str(matrix[t, p]) for t, p in np.argwhere(matrix)}
    for (row, column), text in texts.items():
        place = (column + 0.5) * width, (row + 0.5) * height
        _write(draw, place, text, (0, 0, 0), width=width)
    return np.array(picture)


def _write(
    draw: Any, place: tuple[float, float], text: str, colour: Colour, *, width: float
) -> None:
    """Writes a text centred at a place, cut off at the width."""
    font = _font()
    while len(text) > 1 and font.getlength(text) > width:
        text = text[:-1]
    _, top, _, bottom = font.getbbox("0")  # of all texts, so that they stand on one line
    x, y = place[0] - font.getlength(text) / 2, place[1] - (top + bottom) / 2
    draw.text((round(x), round(y)), text, fill=colour, font=font)


@cache
def _font() -> Any:
    return ImageFont.load_default()
