"""The pictures of a committee: errors by size, and its members' votes on its errors."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_mnist.reports import figures, gallery
from lit_mnist.shape import SIDE_PX

if TYPE_CHECKING:  # otherwise it would import torch
    from lit_mnist.models.averaging import SubsetErrors

# In pixels of the gallery's images: the height of a line of votes, the widest step between two
LINE, STEP = 5, 4
# The fewest letters that distinguish the classes of FashionMNIST and of KMNIST
LETTERS = 2


@figures.default_style()
def errors_by_size_figure(errors: "Sequence[SubsetErrors]", images: int) -> Figure:
    """Plots the errors of committees of 1, 2, ... members: mean, minimum and maximum.

    Args:
        errors: Errors of subsets of the members, by number of members from 1.
        images: Number of scored images.
    """
    figure = Figure(figsize=(6.5, 4.5), dpi=figures.DPI, layout="constrained")
    axes = figure.add_subplot(title="Errors by size of the committee", xlabel="members")
    axes.set_ylabel(f"errors in {images:,} images")
    members = range(1, len(errors) + 1)
    fewest, most = [row.fewest for row in errors], [row.most for row in errors]
    colour = figures.PALETTE[0]
    axes.fill_between(
        members, fewest, most, color=colour, alpha=0.2, lw=0, label="fewest to most, over subsets"
    )
    axes.plot(members, [row.mean for row in errors], color=colour, marker="o", ms=4, label="mean")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figures.settled(figure)


@figures.default_style()
def votes_gallery(
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    votes: np.ndarray,
    indices: np.ndarray,
    *,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draws a committee's errors as `gallery.draw` does, and below each its members' votes.

    Votes are in the order of the members, blue where a member is right. Class names are abbreviated
    to two letters in them.

    Args:
        images: uint8 (N, 28, 28): all images, whether classified correctly or not.
        labels: int (N,).
        predictions: int (N,): the committee's.
        votes: int (N, M): the class that each member predicts.
        indices: int (N,): positions in the data set, in whose order images are drawn.
        class_names: Names to use in place of class numbers.
    """
    shown, title = gallery.misclassified(labels, predictions, indices)
    names = class_names or figures.DIGITS
    true, predicted = ([names[label] for label in of[shown]] for of in (labels, predictions))
    a_line = 5 if class_names else 10
    figure, corners = gallery.captioned(
        images[shown],
        true,
        predicted,
        indices[shown],
        title,
        footer=LINE * math.ceil(votes.shape[1] / a_line),
    )
    for (left, bottom), cast, label in zip(corners, votes[shown], labels[shown], strict=True):
        marks = [(names[vote][:LETTERS], vote == label) for vote in cast]
        _write_votes(figure.axes[0], left, bottom, marks, a_line)
    return figure


def _write_votes(
    axes: Axes, left: float, bottom: float, marks: Sequence[tuple[str, bool]], a_line: int
) -> None:
    """Writes votes below an image, `a_line` per line, coloured by whether each is right."""
    step = max(SIDE_PX / a_line, min(SIDE_PX / len(marks), STEP))
    for member, (mark, right) in enumerate(marks):
        line, place = divmod(member, a_line)
        x, y = left + step * place, bottom + LINE * (line + 1) - 1
        axes.text(x, y, mark, color="blue" if right else "grey", fontsize=5.5)
