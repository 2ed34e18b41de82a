"""Labels that predictions contradict, by the rule of confident learning.

Source: C. G. Northcutt, L. Jiang, I. L. Chuang, Journal of Artificial Intelligence Research 70
(2021), the confident joint; ranked by cleanlab's normalized margin.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lit_mnist.reports import gallery
from lit_mnist.reports.calibration import Answers
from lit_mnist.reports.figures import DIGITS

MOST = 50  # images that are drawn
HEAD = "rank,index,label,prediction,label_probability,probability"  # of the table


class LabelIssues(NamedTuple):
    """I images whose labels are contradicted, in descending order of confidence.

    Attributes:
        indices: int (I,): positions in the data set.
        labels: int (I,): the given labels.
        predictions: int (I,): the predicted classes.
        label_probabilities: float (I,): probabilities of the labels.
        probabilities: float (I,): probabilities of the predictions.
    """

    indices: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    label_probabilities: np.ndarray
    probabilities: np.ndarray


def find(answers: Answers) -> LabelIssues:
    """Finds the images off the diagonal of the confident joint.

    An image is counted as class j if its probability of j is at least the mean probability of j
    among the images labelled j; of several such classes, as the most probable one.

    Args:
        answers: Out-of-fold predictions for N images in index order.
    """
    probabilities, labels = answers
    classes = range(probabilities.shape[1])
    usual = np.array(
        [probabilities[labels == j, j].mean() if (labels == j).any() else np.inf for j in classes]
    )
    sure = np.where(probabilities >= usual, probabilities, -1.0)
    predicted = sure.argmax(axis=1)
    found = np.flatnonzero((sure.max(axis=1) >= 0) & (predicted != labels))
    p_label = probabilities[found, labels[found]]
    p_predicted = probabilities[found, predicted[found]]
    order = np.argsort(p_label - p_predicted, kind="stable")
    found = found[order]
    return LabelIssues(found, labels[found], predicted[found], p_label[order], p_predicted[order])


def table(issues: LabelIssues) -> str:
    """Formats one row per image, the most confident first."""
    rows = (
        f"{rank},{index},{label},{predicted},{p_label:.9g},{p_predicted:.9g}"
        for rank, (index, label, predicted, p_label, p_predicted) in enumerate(
            zip(*issues, strict=True), 1
        )
    )
    return "\n".join([HEAD, *rows, ""])


def draw(issues: LabelIssues, images: np.ndarray, names: list[str] | None) -> Figure:
    """Draws the first images, with the given label in blue, and the prediction and its probability.

    Args:
        issues: The contradicted labels.
        images: uint8 (N, 28, 28): the whole data set.
        names: Names to use in place of class numbers.
    """
    first = LabelIssues(*(values[:MOST] for values in issues))
    words = names or DIGITS
    labels = [words[label] for label in first.labels]
    predicted = [
        f"{words[label]} {p:.1%}"
        for label, p in zip(first.predictions, first.probabilities, strict=True)
    ]
    title = f"{len(first.indices)} of {len(issues.indices):,} labels in doubt, most confident first"
    return gallery.captioned(images[first.indices], labels, predicted, first.indices, title)[0]
