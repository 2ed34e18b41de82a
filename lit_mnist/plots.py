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
    return figure


def _plot(
    axes: Axes, rows: Sequence[Mapping[str, float]], key: str, *, marker: str, **style: Any
) -> None:
    """Draws one figure of the rows, with markers if the epochs are few."""
    known = [row for row in rows if not math.isnan(row.get(key, math.nan))]
    if known:
        epochs, accuracies = [row["epoch"] for row in known], [row[key] for row in known]
        axes.plot(epochs, accuracies, marker=marker if len(known) <= 10 else "", ms=4, **style)


def _useful_range(lines: Sequence[np.ndarray]) -> tuple[float, float]:
    """Gives limits that show each line but for its worst 15%, which are its first epochs."""
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
    """Draws the misclassified images, each under its true label, the predicted one and its index.

    Args:
        images: uint8 (N, 28, 28): all that were classified, rightly or wrongly.
        labels: int (N,).
        predictions: int (N,).
        indices: int (N,): the images' places in their data set, in whose order they are drawn.
        class_names: What to write in place of the classes' numbers.
        probabilities: float (N, classes): that of the prediction is written behind it.
        limit: How many to draw at most.
    """
    wrong = np.flatnonzero(labels != predictions)
    shown = wrong[np.argsort(indices[wrong], kind="stable")][:limit]
    title = f"{len(wrong):,} misclassified of {len(labels):,}"
    if len(shown) < len(wrong):
        title += f" (first {len(shown)} shown)"
    names = class_names or [str(number) for number in range(10)]
    true, predicted = ([names[label] for label in of[shown]] for of in (labels, predictions))
    if probabilities is not None:
        chances = probabilities[shown, predictions[shown]]
        predicted = [
            f"{name} {chance:.0%}" for name, chance in zip(predicted, chances, strict=True)
        ]
    return _tiled(images[shown], list(zip(true, predicted, indices[shown], strict=True)), title)


def _tiled(images: np.ndarray, captions: Sequence[tuple[str, str, int]], title: str) -> Figure:
    """Lays out images (N, 28, 28), each below its caption: true label, predicted label, index.

    They are one picture on one `Axes`, whose units are their pixels: a hundred axes take seconds.
    """
    stacked = any(len(true + predicted) > 2 for true, predicted, _ in captions)
    header, columns = (13 if stacked else 8), min(len(images), COLUMNS) or 1
    rows = math.ceil(len(images) / columns)
    cells = np.full((rows * columns, header + SIDE + GAP, SIDE + GAP), 255, np.uint8)
    cells[: len(images), header : header + SIDE, GAP // 2 : GAP // 2 + SIDE] = images
    grid = cells.reshape(rows, columns, *cells.shape[1:]).transpose(0, 2, 1, 3)
    axes = _sheet(grid.reshape(rows * cells.shape[1], columns * cells.shape[2]), title)
    for place, (true, predicted, index) in enumerate(captions):
        row, column = divmod(place, columns)
        left, base = column * (SIDE + GAP) + GAP // 2, row * cells.shape[1] + header - 1
        size = 8 if stacked else 11
        axes.text(left, base - (6 if stacked else 0), true, color="blue", fontsize=size)
        axes.text(left if stacked else left + 8, base, predicted, color="red", fontsize=size)
        corner = base + (SIDE if stacked else 0)  # names leave no room beside them
        axes.text(left + SIDE, corner, str(index), color="grey", fontsize=5, ha="right")
    return axes.figure  # type: ignore[return-value] # made on a Figure


def _sheet(picture: np.ndarray, title: str) -> Axes:
    """Draws a grey picture (H, W) at DOTS per pixel below a title; its units are pixels."""
    height, width = picture.shape
    whole = max(width, LEAST_WIDTH), height + TITLE
    figure = Figure(figsize=(whole[0] * DOTS / DPI, whole[1] * DOTS / DPI), dpi=DPI)
    axes = figure.add_axes(
        ((1 - width / whole[0]) / 2, 0, width / whole[0], height / whole[1]), frameon=False
    )
    figure.suptitle(title, y=1 - TITLE / 2 / whole[1], va="center", fontsize=12)
    axes.set_axis_off()
    if picture.size:
        axes.set(xlim=(0, width), ylim=(height, 0))
        extent = (0, width, height, 0)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest")
    return axes


def confusion(matrix: np.ndarray, class_names: Sequence[str] | None = None) -> Figure:
    """Draws a confusion matrix, coloured by the errors alone, which the diagonal would drown.

    Args:
        matrix: int (C, C): entry (t, p) counts the images of class t that were taken for p.
        class_names: What to write in place of the classes' numbers.
    """
    names = class_names or [str(number) for number in range(len(matrix))]
    errors = np.ma.masked_array(matrix, np.eye(len(matrix), dtype=bool))
    wrong, total = int(errors.sum()), int(matrix.sum())
    figure = Figure(figsize=(6.5, 6.2), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    axes.set_title(f"{wrong:,} errors of {total:,}, accuracy {1 - wrong / total:.4f}")
    axes.set_facecolor("lightgrey")  # the diagonal, which is masked
    most = max(int(errors.max()), 1)
    axes.imshow(errors, cmap="Oranges", vmin=0, vmax=most)
    axes.set_xticks(range(len(names)), names)
    if class_names:
        axes.tick_params(axis="x", rotation=45)
    axes.set_yticks(range(len(names)), names)
    for (true, predicted), count in np.ndenumerate(matrix):
        if count:
            dark = true != predicted and count > 0.6 * most
            colour = "white" if dark else "black"
            axes.text(predicted, true, str(count), ha="center", va="center", color=colour)
    return figure


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts int (C, C): entry (t, p) is how many images of class t were taken for p."""
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, -1)


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all; equal figures give equal bytes."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def to_array(figure: Figure) -> np.ndarray:
    """Renders to uint8 (H, W, 3), for TensorBoard."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
