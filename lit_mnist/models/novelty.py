"""What is no digit: images whose features lie far from those of all classes.

A net that knows ten classes is sure of most letters, too. Its features, which are what reaches its
last linear layer, tell more: those of each class are taken for normally distributed, and an image
counts as novel if the squared Mahalanobis distance to the nearest class is greater than that of 199
in 200 held-out images (Lee et al., NeurIPS 2018). A class's covariance is the mean of its own and
the one that all classes share (Friedman, Regularized Discriminant Analysis, 1989).
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from lit_mnist import files
from lit_mnist.shape import CLASSES

# Below it, the other nine together are more probable, and there is no digit
LEAST_PROBABILITY = 0.5
KNOWN = 0.995  # of the held-out images are not novel
OWN = 0.5  # a class's own part of its covariance
RIDGE = 0.02  # times the mean variance, added to each: so few images leave some variances too small
MOST_FEATURES = 512  # of a net; their precision matrices take 10 MB
FEWEST = 3  # images of a class, in each half of the held-out ones


class ClassGaussians(NamedTuple):
    """A normal distribution for each class over D features.

    Attributes:
        means: float64 (10, D).
        precisions: float64 (10, D, D).
    """

    means: np.ndarray
    precisions: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray, labels: np.ndarray) -> Self:
        """Estimates them from features (N, D) with labels (N,); each class has an image or more."""
        means = np.stack([features[labels == name].mean(axis=0) for name in range(CLASSES)])
        off = features - means[labels]
        shared = off.T @ off / len(off)
        precisions = []
        for name in range(CLASSES):
            own = off[labels == name]
            covariance = (1 - OWN) * shared + OWN * own.T @ own / len(own)
            mean_variance = max(float(np.trace(covariance)) / len(covariance), 1e-12)
            ridge = RIDGE * mean_variance * np.eye(len(covariance))
            precisions.append(np.linalg.inv(covariance + ridge))
        return cls(means, np.stack(precisions))

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Gives the squared Mahalanobis distance to the nearest class, (N,), of (N, D)."""
        each = []
        for mean, precision in zip(self.means, self.precisions, strict=True):
            off = features - mean
            each.append(np.einsum("nd,nd->n", off @ precision, off))
        return np.min(each, axis=0)


class Novelty(NamedTuple):
    """Tells images that are like none of the ten classes.

    Attributes:
        members: Of each of M nets; distances are in units of what 199 in 200 images stay below.
        threshold: Of the mean of the members' distances.
    """

    members: tuple[ClassGaussians, ...]
    threshold: float

    @classmethod
    def fit(cls, features: np.ndarray, widths: Sequence[int], labels: np.ndarray) -> Self:
        """Fits it to held-out images, on which no net was trained.

        The threshold is that of distances from what was fitted to the other half of the images.

        Args:
            features: Float (N, F): of all nets side by side.
            widths: How many features each net has.
            labels: int (N,); see `obstacle`.
        """
        members, distances = [], []
        for of_net in split(features, widths):
            crossed = np.empty(len(labels))
            for own, other in ((0, 1), (1, 0)):
                half = ClassGaussians.fit(of_net[other::2], labels[other::2])
                crossed[own::2] = half.distances(of_net[own::2])
            unit = float(np.quantile(crossed, KNOWN))
            whole = ClassGaussians.fit(of_net, labels)
            members.append(whole._replace(precisions=whole.precisions / unit))
            distances.append(crossed / unit)
        return cls(tuple(members), float(np.quantile(np.mean(distances, axis=0), KNOWN)))

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Gives the mean of the nets' distances, (N,), from their features, (N, F)."""
        each = split(features, [member.means.shape[1] for member in self.members])
        pairs = zip(self.members, each, strict=True)
        return np.mean([member.distances(of_net) for member, of_net in pairs], axis=0)

    def novel(self, features: np.ndarray) -> np.ndarray:
        """Tells which images are like no class, bool (N,)."""
        return self.distances(features) > self.threshold


def split(features: np.ndarray, widths: Sequence[int]) -> list[np.ndarray]:
    """Gives each net's features, float64 (N, D), from those of all side by side."""
    return np.split(features.astype(np.float64), np.cumsum(widths)[:-1], axis=1)


def obstacle(features: np.ndarray, widths: Sequence[int], labels: np.ndarray) -> str:
    """Tells why no rule can be fitted to the held-out images; empty if one can."""
    if not features.shape[1]:
        return "a net has no linear layer that all images go through"
    if max(widths) > MOST_FEATURES:
        return f"a net has over {MOST_FEATURES} features"
    halves = (np.bincount(labels[start::2], minlength=CLASSES) for start in (0, 1))
    if any(half.min() < FEWEST for half in halves):
        return "too few images of some class were held out"
    return ""


def save(novelty: Novelty, weights_sha256: str, path: Path) -> None:
    """Writes it for the weights of this hash, in float32."""
    arrays: dict[str, np.ndarray] = {"threshold": np.array(novelty.threshold)}
    arrays["weights_sha256"] = np.array(weights_sha256)
    for place, member in enumerate(novelty.members):
        for name, values in member._asdict().items():
            arrays[f"{name}_{place}"] = values.astype(np.float32)
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type] # its stub takes a name for allow_pickle


def load(path: Path, weights_sha256: str, widths: Sequence[int]) -> tuple[Novelty | None, str]:
    """Reads it, if it is of these weights.

    Args:
        path: Which `save` wrote.
        weights_sha256: Hash of the weights that it must be of.
        widths: How many features each net has.

    Returns:
        The rule, and why there is none; empty if there is.
    """
    if not widths:
        return None, "a net has no linear layer"
    if not path.is_file():
        return None, "none was fitted when the run was tested, or it was not tested"
    try:
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["weights_sha256"]) != weights_sha256:
                return None, f"{path.name} is of other weights; test the run"
            members = tuple(
                ClassGaussians(saved[f"means_{place}"], saved[f"precisions_{place}"])
                for place in range(len(widths))
            )
            for member, width in zip(members, widths, strict=True):
                member.means.reshape(CLASSES, width)
                member.precisions.reshape(CLASSES, width, width)
            return Novelty(members, float(saved["threshold"])), ""
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None, f"{path.name} is damaged; test the run"


def no_digit(
    probabilities: np.ndarray, novelty: Novelty | None, features: np.ndarray
) -> np.ndarray:
    """Tells which images hold no digit, bool (N,).

    Args:
        probabilities: Float (N, 10).
        novelty: None where probabilities alone decide.
        features: Float (N, F): of all nets side by side.
    """
    unsure: np.ndarray = probabilities.max(axis=1, initial=0) < LEAST_PROBABILITY
    return unsure | novelty.novel(features) if novelty and len(unsure) else unsure
