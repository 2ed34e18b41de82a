"""Labels that predictions contradict: the confident-learning rule, and what is found by it.

Source: C. G. Northcutt, L. Jiang, I. L. Chuang, Journal of Artificial Intelligence Research 70
(2021), the confident joint; ranked by cleanlab's normalized margin.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lit_mnist.reports import gallery
from lit_mnist.reports.calibration import Answers


class LabelIssues(NamedTuple):
    """Images whose label is contradicted, the surest first; I of them.

    Attributes:
        indices: int (I,): their places in the data set.
        labels: int (I,): as they are given.
        predictions: int (I,): what is predicted instead.
        label_probabilities: float (I,): of the label.
        probabilities: float (I,): of the prediction.
    """

    indices: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    label_probabilities: np.ndarray
    probabilities: np.ndarray


def find(answers: Answers) -> LabelIssues:
    """Finds what lies off the diagonal of the confident joint.

    An image counts as one of class j if its probability of j is at least the mean of that among the
    images labelled j; of several such classes, the most probable.

    Args:
        answers: Of N images in index order, out of fold: none by a network trained on it.
    """
    probabilities, labels = answers
    classes = range(probabilities.shape[1])
    usual = np.array(
        [probabilities[labels == j, j].mean() if (labels == j).any() else np.inf for j in classes]
    )
    sure = np.where(probabilities >= usual, probabilities, -1.0)
    predicted = sure.argmax(axis=1)
    found = np.flatnonzero((sure.max(axis=1) >= 0) & (predicted != labels))
    own, other = probabilities[found, labels[found]], probabilities[found, predicted[found]]
    order = np.argsort(own - other, kind="stable")
    found = found[order]
    return LabelIssues(found, labels[found], predicted[found], own[order], other[order])


def table(issues: LabelIssues) -> str:
    """Formats a row an image, the surest first."""
    rows = (
        f"{rank},{index},{label},{predicted},{own:.9g},{other:.9g}"
        for rank, (index, label, predicted, own, other) in enumerate(zip(*issues, strict=True), 1)
    )
    head = "rank,index,label,prediction,label_probability,probability"
    return "\n".join([head, *rows, ""])


def draw(
    issues: LabelIssues, images: np.ndarray, names: list[str] | None, limit: int = 50
) -> Figure:
    """Draws the first ones: the given label in blue, the predicted one and how probable it is.

    Args:
        issues: What was found.
        images: uint8 (N, 28, 28): the whole set.
        names: What to write in place of the classes' numbers.
        limit: How many at most.
    """
    first = LabelIssues(*(values[:limit] for values in issues))
    words = names or [str(digit) for digit in range(10)]
    given = [words[label] for label in first.labels]
    predicted = [
        f"{words[label]} {p:.1%}"
        for label, p in zip(first.predictions, first.probabilities, strict=True)
    ]
    title = f"{len(first.indices)} of {len(issues.indices):,} labels in doubt, the surest first"
    return gallery.captioned(images[first.indices], given, predicted, first.indices, title)[0]
