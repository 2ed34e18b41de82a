"""The pictures of a run: curves of accuracy and loss, and the confusion matrix."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_mnist.reports.figures import DIGITS, DPI, PALETTE, default_style, literal, settled
from lit_mnist.shape import CLASSES

History = Sequence[Mapping[str, float]]
# For each panel of the curves: the end of its columns' names, its title, and what it shows
_PANELS = (("acc", "Accuracy per epoch", "accuracy"), ("loss", "Loss per epoch", "loss in nats"))


@default_style()
def curves(
    histories: Mapping[str, History],
    test_acc: Mapping[str, float | None],
    *,
    losses: bool = True,
    caption: str = "",
    best_epoch: float | None = None,
) -> Figure:
    """Plots accuracy and loss per epoch: training dashed, validation solid, one colour per system.

    For a single system, the best epoch is circled, and grey lines mark where the rate was lowered.

    Args:
        histories: For each system, one row per epoch: `epoch` (from 0), `train_acc`, `val_acc`,
            `train_loss`, `val_loss`, `lr`; values that are missing or NaN are left out.
        test_acc: For each system, its test accuracy in [0, 1], a dotted line; None or missing if
            it is not known.
        losses: Whether to plot losses beside the accuracies, if there are any.
        caption: A sentence below the figure.
        best_epoch: The epoch to circle; None for that of the highest `val_acc`.
    """
    keys = [key for key in ("train_loss", "val_loss") if losses]
    has_losses = any(_known(rows, key) for rows in histories.values() for key in keys)
    panels = _PANELS if has_losses else _PANELS[:1]
    figure = Figure(figsize=(13 if has_losses else 9, 5), dpi=DPI, layout="constrained")
    colours = dict(zip(dict.fromkeys([*histories, *test_acc]), cycle(PALETTE), strict=False))
    for place, (key, title, label) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), place, xlabel="epoch", title=title, ylabel=label)
        _panel(axes, histories, test_acc if key == "acc" else {}, colours, key)
        if len(histories) == 1:
            (rows,) = histories.values()
            _mark(axes, rows, f"val_{key}", best_epoch)
    lines, labels = _legend(*figure.axes[0].get_legend_handles_labels(), len(histories))
    if lines:
        # beside the last panel, even if some systems have no lines in it
        figure.axes[-1].legend(
            lines, labels, loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False
        )
    if caption:
        figure.supxlabel(caption, fontsize="small", color="dimgrey")
    return settled(figure)


def _legend(lines: list[Any], labels: list[str], systems: int) -> tuple[list[Any], list[str]]:
    """Selects the lines for the legend; if colours repeat, one per line style."""
    if systems <= len(PALETTE):
        return lines, labels
    named: dict[str, Any] = {}
    for line, label in zip(lines, labels, strict=True):
        style = label.rpartition(" ")[2]
        of_all = style in ("training", "validation")
        named.setdefault(f"{style} of {systems}" if of_all else label, line)
    return list(named.values()), list(named)


def _panel(
    axes: Axes,
    histories: Mapping[str, History],
    test_acc: Mapping[str, float | None],
    colours: Mapping[str, str],
    key: str,
) -> None:
    """Plots the accuracies (`acc`) or losses (`loss`) of all systems."""
    for name, colour in colours.items():
        rows, accuracy = histories.get(name, ()), test_acc.get(name)
        shown = literal(name)
        for stage, word, style in (("train", "training", "x--"), ("val", "validation", "o-")):
            _plot(axes, rows, f"{stage}_{key}", style, color=colour, label=f"{shown} {word}")
        if accuracy is not None:
            axes.axhline(accuracy, color=colour, ls=":", label=f"{shown} test {accuracy:.4f}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    drawn = [np.asarray(line.get_ydata()) for line in axes.lines]
    if drawn:
        axes.set_ylim(_useful_range(drawn, falling=key == "loss"))


def _mark(axes: Axes, rows: History, key: str, best_epoch: float | None) -> None:
    """Circles the best epoch, and draws a line where the rate was lowered."""
    for place, epoch in enumerate(rate_falls(rows)):
        label = "_" if place else "learning rate falls"
        axes.axvline(epoch, color="grey", lw=1, alpha=0.6, label=label, zorder=1)
    best = best_row([row for row in rows if best_epoch in (None, row["epoch"])])
    if best and not math.isnan(best.get(key, math.nan)):
        label = f"best epoch {best['epoch']:.0f}: {best['val_acc']:.4f}"
        axes.scatter(
            best["epoch"], best[key], s=110, fc="none", ec="black", lw=1.5, label=label, zorder=3
        )


def best_row(rows: History) -> Mapping[str, float] | None:
    """Returns the first row with the highest `val_acc`; None if nothing was validated."""
    return max(_known(rows, "val_acc"), key=lambda row: row["val_acc"], default=None)


def rate_falls(rows: History) -> list[float]:
    """Returns the epochs whose `lr` is lower than in the epoch before.

    For a rate that changes in most epochs, as in one cycle or along a cosine, returns none.
    """
    pairs = list(pairwise(_known(rows, "lr")))
    if 2 * sum(old["lr"] != new["lr"] for old, new in pairs) > len(pairs):
        return []
    return [new["epoch"] for old, new in pairs if new["lr"] < old["lr"]]


def _known(rows: History, key: str) -> list[Mapping[str, float]]:
    return [row for row in rows if not math.isnan(row.get(key, math.nan))]


def _plot(axes: Axes, rows: History, key: str, style: str, *, color: str, label: str) -> None:
    """Plots a column of the rows in a style, marker first; without markers if epochs are many."""
    if known := _known(rows, key):
        epochs, values = [row["epoch"] for row in known], [row[key] for row in known]
        style = style if len(known) <= 10 else style[1:]
        axes.plot(epochs, values, style, ms=4, color=color, label=label)


def _useful_range(lines: Sequence[np.ndarray], falling: bool) -> tuple[float, float]:
    """Returns axis limits that show each line except the worst 15 % of a long one, its start."""
    if falling:
        low, high = _useful_range([-line for line in lines], falling=False)
        return -high, -low
    low = min(float(np.quantile(line, 0.15, method="lower")) for line in lines)
    high = max(float(line.max()) for line in lines)
    space = max(0.05 * (high - low), 0.001)
    return low - space, high + space


@default_style()
def confusion(matrix: np.ndarray, class_names: Sequence[str] | None = None) -> Figure:
    """Draws a confusion matrix, coloured only by its errors, as the diagonal would outshine them.

    Args:
        matrix: int (10, 10): entry (t, p) counts images of class t predicted as p.
        class_names: Names to use in place of class numbers.
    """
    total, right = int(matrix.sum()), int(np.trace(matrix))
    figure = Figure(figsize=(6.5, 6.5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true", facecolor="lightgrey")
    axes.set_title(f"{total - right:,} errors of {total:,}, accuracy {right / max(total, 1):.4f}")
    names = [*map(literal, class_names or DIGITS)]
    axes.set_xticks(range(len(matrix)), names, rotation=90 if class_names else 0)
    axes.set_yticks(range(len(matrix)), names)
    errors = np.ma.masked_array(matrix, np.eye(len(matrix), dtype=bool))
    highest = errors.max()
    axes.imshow(errors, "Oranges", vmin=0, vmax=highest)
    for true, predicted in np.argwhere(matrix):
        dark = errors.filled(0)[true, predicted] > 0.7 * highest
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
