"""Labels in doubt: the rule, against a count image by image."""

import numpy as np

from lit_mnist.reports import label_issues
from lit_mnist.reports.calibration import Answers
from tests.reports.test_calibration import random_answers


def test_issues_are_off_the_diagonal_of_the_confident_joint():
    answers = random_answers(400)
    probabilities, labels = answers
    usual = [np.mean([p[j] for p, y in zip(*answers, strict=True) if y == j]) for j in range(10)]
    expected = {}
    for index, (p, label) in enumerate(zip(probabilities, labels, strict=True)):
        sure = [j for j in range(10) if p[j] >= usual[j]]
        if sure and (best := max(sure, key=p.__getitem__)) != label:
            expected[index] = (best, p[label] - p[best])
    found = label_issues.find(answers)
    assert len(expected) > 10
    assert found.indices.tolist() == sorted(expected, key=lambda index: expected[index][1])
    assert found.predictions.tolist() == [expected[index][0] for index in found.indices]
    assert (found.labels == labels[found.indices]).all()


def test_flipped_labels_come_first():
    probabilities = np.full((100, 10), 0.01)
    truth = np.arange(100) % 10
    probabilities[np.arange(100), truth] = 0.91
    labels = truth.copy()
    labels[[3, 50, 77]] = (labels[[3, 50, 77]] + 4) % 10
    found = label_issues.find(Answers(probabilities, labels))
    assert found.indices.tolist() == [3, 50, 77]
    lines = label_issues.table(found).splitlines()
    assert lines[0] == "rank,index,label,prediction,label_probability,probability"
    assert lines[1] == "1,3,7,3,0.01,0.91"
