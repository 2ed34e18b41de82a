"""Calibration, against plain loops over the images."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from lit_mnist.reports.calibration import (
    Answers,
    bin_of_each,
    brier,
    ece,
    fit_temperature,
    nll,
    risks,
    scaled,
)


def random_answers(count=300, spread=3.0, sharpness=1.0, seed=0):
    """Labels drawn from a softmax, and the softmax of sharper logits as their predictions."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, spread, (count, 10))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (true.cumsum(1) > generator.random((count, 1))).argmax(1)
    sharper = np.exp(sharpness * logits)
    return Answers(sharper / sharper.sum(1, keepdims=True), labels)


def test_nll_and_brier_score_equal_a_loop():
    answers = random_answers()

    losses = [-math.log(row[label]) for row, label in zip(*answers, strict=True)]
    squares = [
        sum((row[k] - (k == label)) ** 2 for k in range(10))
        for row, label in zip(*answers, strict=True)
    ]
    assert nll(answers) == pytest.approx(sum(losses) / 300, rel=1e-12)
    assert brier(answers) == pytest.approx(sum(squares) / 300, rel=1e-12)


@pytest.mark.parametrize("count", [300, 307, 7])
def test_the_calibration_error_equals_a_loop_over_equal_bins(count):
    answers = random_answers(count, sharpness=1.7)
    ranked = sorted((max(row), row.argmax() == label) for row, label in zip(*answers, strict=True))
    expected, start = 0.0, 0
    for number in range(15):
        end = -(-(number + 1) * count // 15)
        part, start = ranked[start:end], end
        if part:
            confidence, accuracy = np.mean(part, axis=0)
            expected += len(part) / count * abs(accuracy - confidence)
    found = ece(answers)
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert 0 <= found.low <= found.value <= found.high
    sizes = np.bincount(bin_of_each(answers.confidence), minlength=15)
    assert sizes.max() - sizes.min() <= 1


def test_the_calibration_error_equals_torchmetrics_for_even_confidences():
    # where bins of equal width hold equally many images
    confidence = (np.arange(1500) + 0.5) / 1500
    right = np.random.default_rng(0).random(1500) < confidence**2
    two = np.where(right, 0, 1)
    probabilities = np.stack([confidence, np.zeros(1500)], 1)
    theirs = multiclass_calibration_error(
        torch.tensor(probabilities), torch.tensor(two), num_classes=2, n_bins=15, norm="l1"
    )
    assert ece(Answers(probabilities, two)).value == pytest.approx(theirs.item(), rel=1e-6)


def test_the_interval_is_reproducible():
    assert ece(random_answers()) == ece(random_answers())


@pytest.fixture(scope="module")
def whole():
    """Answers for enough images that samples of them hardly overlap."""
    return random_answers(200_000, sharpness=1.0, seed=1)


@pytest.mark.parametrize("sharpness", [1.0, 1.15, 1.6])
def test_the_interval_covers_the_true_error(whole, sharpness):
    chances = whole.probabilities
    predicted = scaled(chances, 1 / sharpness)
    # the gap of each bin, with each image's true chance in place of right and wrong
    gaps = chances.max(1) - predicted.max(1)
    place = bin_of_each(predicted.max(1))
    truth = np.abs(np.bincount(place, gaps)).sum() / len(gaps)
    generator, covered = np.random.default_rng(2), 0
    for _ in range(60):
        some = generator.integers(len(gaps), size=1_000)
        interval = ece(Answers(predicted[some], whole.labels[some]))
        covered += interval.low <= truth <= interval.high
    assert covered >= 54  # of 57 expected, or more


def test_the_risk_at_each_coverage_equals_a_loop():
    answers = random_answers(50)
    ranked = sorted(zip(answers.confidence, answers.right, strict=True), reverse=True)
    expected = [sum(not right for _, right in ranked[:k]) / k for k in range(1, 51)]
    assert risks(answers) == pytest.approx(expected, rel=1e-12)


def test_the_temperature_equals_the_best_of_a_fine_grid():
    answers = random_answers(2_000, sharpness=1.6)
    found = fit_temperature(answers)
    grid = np.linspace(1.0, 2.5, 1501)
    logits = np.log(answers.probabilities)
    losses = []
    for temperature in grid:
        at = logits / temperature
        log_probs = at - np.log(np.exp(at).sum(1, keepdims=True))
        losses.append(-log_probs[np.arange(2_000), answers.labels].mean())
    assert found == pytest.approx(grid[int(np.argmin(losses))], abs=1.1e-3)
    assert found == pytest.approx(1.6, abs=0.15)  # by which the logits were too sharp


def test_a_temperature_keeps_the_order_and_1_keeps_probabilities():
    answers = random_answers()
    np.testing.assert_allclose(scaled(answers.probabilities, 1.0), answers.probabilities)
    for temperature in (0.3, 4.0):
        other = answers.scaled(temperature)
        assert (other.probabilities.argmax(1) == answers.probabilities.argmax(1)).all()
        np.testing.assert_allclose(other.probabilities.sum(1), 1)


def test_a_probability_of_0_gives_a_finite_loss():
    sure = Answers(np.eye(10)[[3, 4]], np.array([3, 5]))
    assert nll(sure) == pytest.approx(-math.log(1.4e-45) / 2)
    assert np.isfinite(scaled(sure.probabilities, 2.0)).all()
    assert np.isfinite(fit_temperature(sure))
