"""The pictures of a run: accuracy curves, misclassified images, confusion matrix.

Figures are built without pyplot, so that none stays in memory and none needs a display.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_mnist import files

DPI = 120
# Okabe and Ito's colours, which colour-blind readers can tell apart; their yellow is too pale.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# The gallery's measures are in pixels of its images, each of them DOTS wide in the picture.
SIDE, GAP, TITLE, LEAST_WIDTH, DOTS = 28, 4, 14, 140, 3
COLUMNS = 10
DIGITS = tuple("0123456789")


def curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]],
    test_acc: Mapping[str, float | None],
) -> Figure:
    """Draws accuracy per epoch: training dashed, validation solid, test dotted; a colour a system.

    Args:
        histories: By system, a row an epoch: `epoch` (from 0), `train_acc`, `val_acc`; a figure
            that is absent or NaN is left out.
        test_acc: By system, its test accuracy in [0, 1]; absent or None until it is known.
    """
    figure = Figure(figsize=(9, 5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(title="Accuracy per epoch", xlabel="epoch", ylabel="accuracy")
    for name, colour in zip(dict.fromkeys([*histories, *test_acc]), cycle(PALETTE), strict=False):
        rows, accuracy = histories.get(name, ()), test_acc.get(name)
        _plot(axes, rows, "train_acc", color=colour, ls="--", marker="x", label=f"{name} training")
        _plot(axes, rows, "val_acc", color=colour, ls="-", marker="o", label=f"{name} validation")
        if accuracy is not None:
            axes.axhline(accuracy, color=colour, ls=":", label=f"{name} test {accuracy:.4f}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.set_ylim(_useful_range([np.asarray(line.get_ydata()) for line in axes.lines]))
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False)
    return settled(figure)


def _plot(
    axes: Axes, rows: Sequence[Mapping[str, float]], key: str, *, marker: str, **style: Any
) -> None:
    """Draws one figure of the rows, with markers if the epochs are few."""
    known = [row for row in rows if not math.isnan(row.get(key, math.nan))]
    if known:
        epochs, accuracies = [row["epoch"] for row in known], [row[key] for row in known]
        axes.plot(epochs, accuracies, marker=marker if len(known) <= 10 else "", ms=4, **style)


def _useful_range(lines: Sequence[np.ndarray]) -> tuple[float, float]:
    """Gives limits that show each line but for the worst 15% of a long one: its first epochs."""
    low = min(float(np.quantile(line, 0.15, method="lower")) for line in lines)
    high = max(float(line.max()) for line in lines)
    space = max(0.05 * (high - low), 0.001)
    return low - space, high + space


def gallery(
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    indices: np.ndarray,
    *,
    class_names: Sequence[str] | None = None,
    probabilities: np.ndarray | None = None,
    limit: int = 100,
) -> Figure:
    """Draws the misclassified images: above each its true label, the predicted one and its index.

    Args:
        images: uint8 (N, 28, 28): all that were classified, rightly or wrongly.
        labels: int (N,).
        predictions: int (N,).
        indices: int (N,): the images' places in their data set, in whose order they are drawn.
        class_names: What to write in place of the classes' numbers.
        probabilities: float (N, classes): that of the prediction is written behind it.
        limit: How many to draw at most.
    """
    shown, title = misclassified(labels, predictions, indices, limit)
    names = class_names or DIGITS
    true, predicted = ([names[label] for label in of[shown]] for of in (labels, predictions))
    if probabilities is not None:
        chances = probabilities[shown, predictions[shown]]
        predicted = [f"{name} {p:.0%}" for name, p in zip(predicted, chances, strict=True)]
    return captioned(images[shown], true, predicted, indices[shown], title)[0]


def misclassified(
    labels: np.ndarray, predictions: np.ndarray, indices: np.ndarray, limit: int
) -> tuple[np.ndarray, str]:
    """Gives the positions of the first `limit` errors, in the order of indices, and a title."""
    wrong = np.flatnonzero(labels != predictions)
    shown = wrong[np.argsort(indices[wrong], kind="stable")][:limit]
    title = f"{len(wrong):,} misclassified of {len(labels):,}"
    if len(shown) < len(wrong):
        title += f" (first {len(shown)} shown)"
    return shown, title


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
        title: What to write above them all.
        footer: How many pixels to leave free below each image.

    Returns:
        The figure, and for each image the place (x, y) of its lower left corner on the axes.
    """
    stacked = any(len(text) > 1 for text in [*true, *predicted])
    header = 13 if stacked else 8
    figure = _sheet(_tiled(images, header, footer), title)
    corners = []
    for place, texts in enumerate(zip(true, predicted, indices, strict=True)):
        row, column = divmod(place, COLUMNS)
        left, top = column * (SIDE + GAP) + GAP / 2, row * (header + SIDE + footer + GAP) + header
        _caption(figure.axes[0], left, top - 2, *texts, stacked=stacked)
        corners.append((left, float(top + SIDE)))
    return figure, corners


def _tiled(images: np.ndarray, header: int, footer: int) -> np.ndarray:
    """Joins images (N, 28, 28) in rows of at most ten, with white above and below each."""
    columns = min(len(images), COLUMNS) or 1
    rows = math.ceil(len(images) / columns) or 1
    cells = np.full((rows * columns, header + SIDE + footer + GAP, SIDE + GAP), 255, np.uint8)
    cells[: len(images), header : header + SIDE, GAP // 2 : GAP // 2 + SIDE] = images
    grid = cells.reshape(rows, columns, *cells.shape[1:])
    return grid.swapaxes(1, 2).reshape(rows * cells.shape[1], columns * cells.shape[2])


def _sheet(picture: np.ndarray, title: str) -> Figure:
    """Draws uint8 (H, W) below a title, on one `Axes`: one for each image would take seconds."""
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
    """Writes the labels side by side, or one above the other, and the index at the right."""
    size, above, beside = (6, base - 6, left) if stacked else (9, base, left + 7)
    axes.text(left, above, true, color="blue", fontsize=size)
    axes.text(beside, base, predicted, color="red", fontsize=size)
    axes.text(left + SIDE, above, str(index), color="grey", fontsize=5, ha="right")


def confusion(matrix: np.ndarray, class_names: Sequence[str] | None = None) -> Figure:
    """Draws a confusion matrix, coloured by its errors alone, which the diagonal would drown.

    Args:
        matrix: int (10, 10): entry (t, p) counts the images of class t that were taken for p.
        class_names: What to write in place of the classes' numbers.
    """
    total, right = int(matrix.sum()), int(np.trace(matrix))
    figure = Figure(figsize=(6.5, 6.5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true", facecolor="lightgrey")
    axes.set_title(f"{total - right:,} errors of {total:,}, accuracy {right / max(total, 1):.4f}")
    axes.set_xticks(range(len(matrix)), class_names or DIGITS, rotation=90 if class_names else 0)
    axes.set_yticks(range(len(matrix)), class_names or DIGITS)
    errors = np.ma.masked_array(matrix, np.eye(len(matrix), dtype=bool))
    most = errors.max()
    axes.imshow(errors, "Oranges", vmin=0, vmax=most)
    for true, predicted in np.argwhere(matrix):
        dark = errors.filled(0)[true, predicted] > 0.7 * most
        ink, count = "white" if dark else "black", str(matrix[true, predicted])
        axes.text(predicted, true, count, color=ink, ha="center", va="center")
    return settled(figure)


def settled(figure: Figure) -> Figure:
    """Lays the figure out for good: it would otherwise shift a little whenever it is drawn."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int = 10) -> np.ndarray:
    """Counts int (N,) labels against int (N,) predictions: int (classes, classes), rows true."""
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predictions), 1)
    return counts


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all; equal figures give equal bytes."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi="figure", metadata={"Software": None})


def to_array(figure: Figure) -> np.ndarray:
    """Gives uint8 (H, W, 3): the very pixels that `save` writes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
