"""The charts of a page: SVG that takes the text's colour, for light and dark themes."""

import io
from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_mnist.reports.calibration import BINS, Answers, bin_of_each, risks
from lit_mnist.reports.figures import PALETTE, default_style, literal
from lit_mnist.reports.plots import History, rate_falls

_INK = "#010203"  # placeholder for the colour of the page's text
STYLE: Any = {
    "svg.hashsalt": "lit_mnist",  # otherwise equal charts would differ in their bytes
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    **{f"{part}.color": _INK for part in ("text", "xtick", "ytick")},
    **{f"axes.{part}": _INK for part in ("edgecolor", "labelcolor", "titlecolor")},
    **{f"axes.spines.{side}": False for side in ("top", "right")},
}


def accuracy_and_loss(histories: Mapping[str, History], best_epoch: int | None) -> str:
    """Plots accuracy and loss per epoch: training dashed, validation solid, one colour per run.

    Args:
        histories: Rows of `metrics.csv` for each run, by its name.
        best_epoch: The epoch to mark; None for none.
    """
    with default_style(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for place, (key, name) in enumerate((("acc", "accuracy"), ("loss", "loss in nats"))):
            axes = figure.add_subplot(1, 2, place + 1, xlabel="epoch", title=name)
            for (run, rows), colour in zip(histories.items(), cycle(PALETTE[:-1]), strict=False):
                _line(axes, rows, f"train_{key}", color=colour, ls="--")
                _line(axes, rows, f"val_{key}", color=colour, ls="-", label=literal(run))
                for epoch in rate_falls(rows):
                    axes.axvline(epoch, color=colour, lw=0.8, ls=":", alpha=0.7)
            if best_epoch is not None:
                axes.axvline(best_epoch, color=_INK, lw=0.8, alpha=0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.grid(alpha=0.25)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        if any(labels):
            figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        return svg(figure, "Accuracy and loss per epoch")


def _line(axes: Axes, rows: History, key: str, **style: str) -> None:
    epochs = [row["epoch"] for row in rows]
    values = [row.get(key, np.nan) for row in rows]
    if np.isfinite(values).any():
        axes.plot(epochs, values, marker="." if len(rows) < 12 else "", **style)  # type: ignore[arg-type] # matplotlib's stubs want each by name


def reliability(answers: Answers) -> str:
    """Plots accuracy against confidence, in bins of equal numbers of images."""
    place = bin_of_each(answers.confidence)
    counts = np.maximum(np.bincount(place, minlength=BINS), 1)
    sure = np.bincount(place, answers.confidence, minlength=BINS) / counts
    right = np.bincount(place, answers.right, minlength=BINS) / counts
    with default_style(STYLE):
        figure = Figure(figsize=(4.4, 3.4), layout="constrained")
        axes = figure.add_subplot(xlabel="confidence (mean of a bin)", ylabel="accuracy")
        low = min(sure.min(), right.min())
        axes.plot([low, 1], [low, 1], color=_INK, lw=0.8, ls=":")
        axes.plot(sure, right, marker="o", ms=4, color=PALETTE[0])
        axes.grid(alpha=0.25)
        return svg(figure, "Reliability: accuracy against confidence")


def risk_coverage(answers: Answers) -> str:
    """Plots the error rate among the most confident images against their fraction."""
    rates, count = risks(answers), len(answers.labels)
    # a curve of ten thousand points would be most of the page
    shown = np.unique(np.linspace(0, count - 1, min(count, 400)).astype(int))
    with default_style(STYLE):
        figure = Figure(figsize=(4.4, 3.4), layout="constrained")
        axes = figure.add_subplot(xlabel="share of the images answered", ylabel="share of errors")
        axes.plot((shown + 1) / count, rates[shown], color=PALETTE[1])
        axes.grid(alpha=0.25)
        return svg(figure, "Risk against coverage")


def svg(figure: Figure, label: str) -> str:
    """Returns an <svg> element with a label for screen readers."""
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    picture = text.getvalue()
    picture = picture[picture.index("<svg") :].replace(_INK, "currentColor")
    picture = picture.replace("fill: #ffffff", "fill: none")
    return picture.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
