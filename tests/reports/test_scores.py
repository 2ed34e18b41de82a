"""The scores of a test."""

import numpy as np

from lit_mnist.reports.scores import test_scores as scores_of


def test_an_accuracy_has_the_digits_of_its_fraction():
    labels = np.zeros(500, int)
    assert scores_of(labels, (np.arange(500) < 158).astype(int), 1.0)["test_acc"] == 0.684
