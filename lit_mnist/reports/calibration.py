"""Calibration of probabilities: proper scores, expected calibration error, temperature.

N images have probabilities (N, 10) and labels (N,); the confidence in an image is the probability
of its predicted class.
"""

from typing import Any, NamedTuple

import numpy as np

from lit_mnist.models.sureness import LEAST, scaled

BINS = 15  # as in Guo et al., ICML 2017
RESAMPLES, RESAMPLES_AT_ONCE = 1_000, 100
SEED = 0  # of the bootstrap
TEMPERATURES = (0.05, 20.0)  # the search's bounds


class Answers(NamedTuple):
    """Predictions for N images, and their labels.

    Attributes:
        probabilities: Float (N, 10).
        labels: Int (N,).
    """

    probabilities: np.ndarray
    labels: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """Largest probability of each image, float (N,)."""
        return self.probabilities.max(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Whether the most probable class is the true one, bool (N,)."""
        return self.probabilities.argmax(axis=1) == self.labels

    def scaled(self, temperature: float) -> "Answers":
        """Returns a copy with a temperature applied to the probabilities."""
        return Answers(scaled(self.probabilities, temperature), self.labels)


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def nll(answers: Answers) -> float:
    """Mean negative log-likelihood of the true classes, in nats."""
    true = np.take_along_axis(answers.probabilities, answers.labels[:, None], axis=1)
    return float(-np.log(np.maximum(true, LEAST)).mean())


def brier(answers: Answers) -> float:
    """Brier score: squared distance to the one-hot label, summed over classes; 0 to 2."""
    truth = np.eye(answers.probabilities.shape[1])[answers.labels]
    return float(((answers.probabilities - truth) ** 2).sum(axis=1).mean())


def bin_of_each(confidence: np.ndarray) -> np.ndarray:
    """Assigns images, sorted by confidence, to bins of equal numbers of images: int (N,)."""
    places = np.empty(len(confidence), int)
    places[np.argsort(confidence, kind="stable")] = np.arange(len(confidence))
    return places * BINS // len(confidence)


def ece(answers: Answers) -> Interval:
    """Expected calibration error over bins of equal numbers of images (adaptive bins).

    That is the mean over images of the gap between accuracy and mean confidence in their bin. Noise
    biases such a sum of absolute gaps upwards, so a percentile interval would be wrong where
    calibration is good. The interval here is the value plus or minus the summed deviation of the
    gaps that 95 % of bootstrap resamples do not exceed; it is conservative.
    """
    gaps, place = answers.right - answers.confidence, bin_of_each(answers.confidence)
    seen = np.bincount(place, gaps, minlength=BINS) / len(gaps)
    strays = np.abs(_resampled(gaps, place) - seen).sum(axis=1)
    value, stray = float(np.abs(seen).sum()), float(np.quantile(strays, 0.95))
    return Interval(value, max(0.0, value - stray), min(1.0, value + stray))


def _resampled(gaps: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Sums gaps (N,) per bin in each bootstrap resample, divided by N: (RESAMPLES, BINS)."""
    generator, sums = np.random.default_rng(SEED), []
    rows = BINS * np.arange(RESAMPLES_AT_ONCE)[:, None]
    for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
        drawn = generator.integers(len(gaps), size=(RESAMPLES_AT_ONCE, len(gaps)))
        flat = np.bincount(
            (rows + place[drawn]).ravel(), gaps[drawn].ravel(), BINS * RESAMPLES_AT_ONCE
        )
        sums.append(flat.reshape(-1, BINS) / len(gaps))
    return np.concatenate(sums)


def risks(answers: Answers) -> np.ndarray:
    """Error rate among the k most confident images, k = 1 to N: float (N,).

    Plotted against k / N, it is the risk-coverage curve.
    """
    order = np.argsort(-answers.confidence, kind="stable")
    return np.cumsum(~answers.right[order]) / np.arange(1, len(order) + 1)


def fit_temperature(held_out: Answers) -> float:
    """Finds the temperature at which the held-out images have the lowest NLL."""
    from scipy.optimize import minimize_scalar  # scipy is slow to import

    limits = np.log(TEMPERATURES)
    best = minimize_scalar(
        lambda power: nll(held_out.scaled(np.exp(power))),
        bounds=limits,
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(best.x))


def scores(answers: Answers) -> dict[str, Any]:
    """Returns the scores of these probabilities for `results.json`."""
    error = ece(answers)
    return {
        "nll": nll(answers),
        "brier": brier(answers),
        "ece": error.value,
        "ece_ci95": [error.low, error.high],
        "aurc": float(risks(answers).mean()),
    }
