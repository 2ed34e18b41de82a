"""A normal distribution of features per class, and distances from them."""

from typing import NamedTuple, Self

import numpy as np

RIDGE = 0.02  # times the mean variance, added to each: few images leave some variances too small


class Gaussians(NamedTuple):
    """A normal distribution for each of K classes over D features.

    Attributes:
        means: float64 (K, D).
        roots: float64 (K, D, D), or (1, D, D) if all classes share one covariance: whitening
            matrices, which turn Mahalanobis distances into Euclidean ones.
    """

    means: np.ndarray
    roots: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray, labels: np.ndarray, own: float) -> Self:
        """Estimates means and covariances.

        Args:
            features: Float (N, D).
            labels: int (N,), 0 to K - 1; each class has at least one image.
            own: Weight of a class's own covariance, in [0, 1]; the rest is the shared covariance.
        """
        classes = range(labels.max() + 1)
        means = np.stack([features[labels == name].mean(axis=0) for name in classes])
        off = features - means[labels]
        shared = off.T @ off / len(off)
        if not own:
            return cls(means, _root(shared)[None])
        deviations = [off[labels == name] for name in classes]
        covariances = [(1 - own) * shared + own * one.T @ one / len(one) for one in deviations]
        return cls(means, np.stack([_root(covariance) for covariance in covariances]))

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Returns squared Mahalanobis distances (N,) from features (N, D) to the nearest class."""
        if len(self.roots) == 1:
            spread, centres = features @ self.roots[0], self.means @ self.roots[0]
            distances = [np.square(spread - centre).sum(axis=1) for centre in centres]
        else:
            pairs = zip(self.means, self.roots, strict=True)
            distances = [np.square((features - mean) @ root).sum(axis=1) for mean, root in pairs]
        return np.min(distances, axis=0)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Returns a whitening matrix: a root of the inverse covariance, regularised by RIDGE."""
    mean_variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    ridge = RIDGE * mean_variance * np.eye(len(covariance))
    return np.linalg.cholesky(np.linalg.inv(covariance + ridge))
