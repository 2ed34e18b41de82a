"""The gallery of misclassified images, as in the notebook.

Lengths are in pixels of the images, each of which is DOTS wide in the picture.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lit_mnist.reports.figures import DIGITS, DPI, default_style, literal
from lit_mnist.shape import SIDE_PX

GAP, TITLE, LEAST_WIDTH, DOTS = 4, 14, 140, 3
COLUMNS = 10
MOST = 100  # images that are drawn


def draw(
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    indices: np.ndarray,
    *,
    class_names: Sequence[str] | None = None,
    probabilities: np.ndarray | None = None,
    limit: int = MOST,
) -> Figure:
    """Draws the misclassified images, each with its true label, predicted label and index above.

    Args:
        images: uint8 (N, 28, 28): all images, whether classified correctly or not.
        labels: int (N,).
        predictions: int (N,).
        indices: int (N,): positions in the data set, in whose order images are drawn.
        class_names: Names to use in place of class numbers.
        probabilities: float (N, classes): the prediction's is written after it.
        limit: Maximum number of images to draw.
    """
    shown, title = misclassified(labels, predictions, indices, limit)
    names = class_names or DIGITS
    true, predicted = ([names[label] for label in of[shown]] for of in (labels, predictions))
    if probabilities is not None:
        chances = probabilities[shown, predictions[shown]]
        predicted = [f"{name} {p:.0%}" for name, p in zip(predicted, chances, strict=True)]
    return captioned(images[shown], true, predicted, indices[shown], title)[0]


def misclassified(
    labels: np.ndarray, predictions: np.ndarray, indices: np.ndarray, limit: int = MOST
) -> tuple[np.ndarray, str]:
    """Returns the positions of the first `limit` errors, ordered by index, and a title."""
    wrong = np.flatnonzero(labels != predictions)
    shown = wrong[np.argsort(indices[wrong], kind="stable")][:limit]
    title = f"{len(wrong):,} misclassified of {len(labels):,}"
    if len(shown) < len(wrong):
        title += f" (first {len(shown)} shown)"
    return shown, title


@default_style()
def captioned(
    images: np.ndarray,
    true: Sequence[str],
    predicted: Sequence[str],
    indices: np.ndarray,
    title: str,
    *,
    footer: int = 0,
) -> tuple[Figure, list[tuple[float, float]]]:
    """Draws images (N, 28, 28) in rows of at most ten, each below its caption.

    Args:
        images: uint8 (N, 28, 28).
        true: N texts, drawn in blue.
        predicted: N texts, drawn in red.
        indices: int (N,), drawn in grey.
        title: Title of the figure.
        footer: Pixels to leave free below each image.

    Returns:
        The figure, and the position (x, y) of each image's lower left corner on the axes.
    """
    stacked = any(len(text) > 1 for text in [*true, *predicted])
    header = 13 if stacked else 8
    figure = _sheet(_tiled(images, header, footer), title)
    corners = []
    for place, texts in enumerate(zip(true, predicted, indices, strict=True)):
        row, column = divmod(place, COLUMNS)
        left = column * (SIDE_PX + GAP) + GAP / 2
        top = row * (header + SIDE_PX + footer + GAP) + header
        _caption(figure.axes[0], left, top - 2, *texts, stacked=stacked)
        corners.append((left, float(top + SIDE_PX)))
    return figure, corners


def _tiled(images: np.ndarray, header: int, footer: int) -> np.ndarray:
    """Joins images (N, 28, 28) in rows of at most ten, with white above and below each."""
    columns = min(len(images), COLUMNS) or 1
    rows = math.ceil(len(images) / columns) or 1
    cells = np.full((rows * columns, header + SIDE_PX + footer + GAP, SIDE_PX + GAP), 255, np.uint8)
    cells[: len(images), header : header + SIDE_PX, GAP // 2 : GAP // 2 + SIDE_PX] = images
    grid = cells.reshape(rows, columns, *cells.shape[1:])
    return grid.swapaxes(1, 2).reshape(rows * cells.shape[1], columns * cells.shape[2])


def _sheet(picture: np.ndarray, title: str) -> Figure:
    """Draws uint8 (H, W) below a title, on one `Axes`: one per image would take seconds."""
    height, width = picture.shape
    paper_height, paper_width = height + TITLE, max(width, LEAST_WIDTH)
    figure = Figure(figsize=(paper_width * DOTS / DPI, paper_height * DOTS / DPI), dpi=DPI)
    wide, high = width / paper_width, height / paper_height
    axes = figure.add_axes((0.5 - wide / 2, 0, wide, high))
    axes.imshow(picture, "gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
    return figure


def _caption(
    axes: Axes, left: float, base: float, true: str, predicted: str, index: int, *, stacked: bool
) -> None:
    """Writes the labels side by side or stacked, and the index at the right."""
    size, first_y, second_x = (6, base - 6, left) if stacked else (9, base, left + 7)
    axes.text(left, first_y, literal(true), color="blue", fontsize=size)
    axes.text(second_x, base, literal(predicted), color="red", fontsize=size)
    axes.text(left + SIDE_PX, first_y, str(index), color="grey", fontsize=5, ha="right")
