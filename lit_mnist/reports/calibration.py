"""How far probabilities can be trusted: proper scores, calibration error, temperature.

N images have probabilities (N, 10) and labels (N,); the confidence in an image is the probability
of its predicted class.
"""

from typing import Any, NamedTuple

import numpy as np

from lit_mnist.models.sureness import LEAST, scaled

BINS = 15  # as in Guo et al., ICML 2017
RESAMPLES, RESAMPLES_AT_ONCE = 1_000, 100
SEED = 0  # of the resamples
TEMPERATURES = (0.05, 20.0)  # the search's bounds


class Answers(NamedTuple):
    """What is said of N images.

    Attributes:
        probabilities: Float (N, 10).
        labels: Int (N,).
    """

    probabilities: np.ndarray
    labels: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """Float (N,): the largest probability of each image."""
        return self.probabilities.max(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Bool (N,): whether the most probable class is the true one."""
        return self.probabilities.argmax(axis=1) == self.labels

    def scaled(self, temperature: float) -> "Answers":
        """Gives the same answers with their probabilities at another temperature."""
        return Answers(scaled(self.probabilities, temperature), self.labels)


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def nll(answers: Answers) -> float:
    """Gives the mean negative log-likelihood of the true classes, in nats."""
    true = np.take_along_axis(answers.probabilities, answers.labels[:, None], axis=1)
    return float(-np.log(np.maximum(true, LEAST)).mean())


def brier(answers: Answers) -> float:
    """Gives the Brier score: squared distance to the true class, summed over classes; 0 to 2."""
    truth = np.eye(answers.probabilities.shape[1])[answers.labels]
    return float(((answers.probabilities - truth) ** 2).sum(axis=1).mean())


def bin_of_each(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Gives int (N,): images sorted by confidence, cut into bins of equal numbers of images."""
    places = np.empty(len(confidence), int)
    places[np.argsort(confidence, kind="stable")] = np.arange(len(confidence))
    return places * bins // len(confidence)


def ece(answers: Answers, bins: int = BINS) -> Interval:
    """Gives the expected calibration error, over bins of equal numbers of images (adaptive bins).

    That is the mean over images of their bin's distance between accuracy and mean confidence. Such
    a sum of distances is too large by what chance adds to each, so that a percentile interval of it
    fails where calibration is good. The interval is the figure plus or minus what the bins'
    distances stray by, in sum, in 95 of 100 resamples of the images; it errs to the wide side.
    """
    gaps, place = answers.right - answers.confidence, bin_of_each(answers.confidence, bins)
    seen = np.bincount(place, gaps, minlength=bins) / len(gaps)
    strays = np.abs(_resampled(gaps, place, bins) - seen).sum(axis=1)
    value, stray = float(np.abs(seen).sum()), float(np.quantile(strays, 0.95))
    return Interval(value, max(0.0, value - stray), min(1.0, value + stray))


def _resampled(gaps: np.ndarray, place: np.ndarray, bins: int) -> np.ndarray:
    """Sums gaps (N,) by bin in each resample of the images, divided by N: (RESAMPLES, bins)."""
    generator, sums = np.random.default_rng(SEED), []
    rows = bins * np.arange(RESAMPLES_AT_ONCE)[:, None]
    for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
        drawn = generator.integers(len(gaps), size=(RESAMPLES_AT_ONCE, len(gaps)))
        flat = np.bincount(
            (rows + place[drawn]).ravel(), gaps[drawn].ravel(), bins * RESAMPLES_AT_ONCE
        )
        sums.append(flat.reshape(-1, bins) / len(gaps))
    return np.concatenate(sums)


def risks(answers: Answers) -> np.ndarray:
    """Gives float (N,): the share of errors among the k images of highest confidence, k = 1 to N.

    Drawn against k / N it is the risk-coverage curve.
    """
    order = np.argsort(-answers.confidence, kind="stable")
    return np.cumsum(~answers.right[order]) / np.arange(1, len(order) + 1)


def fit_temperature(held_out: Answers) -> float:
    """Gives the temperature at which the held-out images have the lowest NLL."""
    from scipy.optimize import minimize_scalar  # scipy takes long to import

    limits = np.log(TEMPERATURES)
    best = minimize_scalar(
        lambda power: nll(held_out.scaled(np.exp(power))),
        bounds=limits,
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(best.x))


def scores(answers: Answers) -> dict[str, Any]:
    """Gives what `results.json` says of these probabilities."""
    error = ece(answers)
    return {
        "nll": nll(answers),
        "brier": brier(answers),
        "ece": error.value,
        "ece_ci95": [error.low, error.high],
        "aurc": float(risks(answers).mean()),
    }
