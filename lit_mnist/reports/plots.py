"""The pictures of a run: accuracy curves and confusion matrix."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_mnist.reports.figures import DIGITS, DPI, PALETTE, settled
from lit_mnist.shape import CLASSES


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


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, classes: int = CLASSES
) -> np.ndarray:
    """Counts int (N,) labels against int (N,) predictions: int (classes, classes), rows true."""
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predictions), 1)
    return counts
