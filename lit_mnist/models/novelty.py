"""Detects images that are no digit: their features are close to those of letters, or far from all.

A net trained on ten classes is confident about most letters, too. Its features, the input of its
last linear layer, tell more. They are modelled by one normal distribution per class, and one per
letter of a set that the program draws. An image's score is the squared Mahalanobis distance to the
nearest class, minus half of that to the nearest letter. It counts as no digit if its score exceeds
those of 99.5 % of the held-out images. (Lee et al., NeurIPS 2018, for the distance; Ren et al.,
arXiv:2106.09022, for the relative distance.) A class's covariance is the mean of its own and of the
one that all classes share (Friedman, Regularized Discriminant Analysis, 1989).
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from lit_mnist.models.gaussians import Gaussians
from lit_mnist.shape import CLASSES

# Below it, the other nine classes together are more probable, and the image counts as no digit
LEAST_PROBABILITY = 0.5
KNOWN = 0.995  # fraction of held-out images that must not count as novel
LETTERS_PART = 0.5  # weight of the distance to letters; at 1, images far from both would pass
OWN = 0.5  # weight of a class's own covariance; 0 for letters, of which there are too few
MOST_FEATURES = 512  # per net; their distributions take 12 MB
FEWEST = 20  # images per class in each half of the held-out images


class HeldOut(NamedTuple):
    """Features of N images, each from those of M nets that held it out of training.

    Attributes:
        features: Float (N, F): features from those nets, concatenated.
        labels: int (N,).
        by: bool (N, M): which nets held out which image.
    """

    features: np.ndarray
    labels: np.ndarray
    by: np.ndarray

    def of_net(self, place: int, widths: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Returns one net's features, float64 (K, D), and the indices of their K images (K,)."""
        indices = np.flatnonzero(self.by[:, place])
        before = int(
            self.by[indices[:1], :place].astype(int).sum(axis=0) @ np.array(widths[:place], int)
        )
        return self.features[indices, before : before + widths[place]].astype(np.float64), indices


class Member(NamedTuple):
    """Distributions of one net's features: of digits, and of letters."""

    digits: Gaussians
    letters: Gaussians

    @classmethod
    def fit(cls, features: np.ndarray, labels: np.ndarray, letters: Gaussians) -> Self:
        """Fits the distributions of digits to features (N, D) with labels (N,)."""
        return cls(Gaussians.fit(features, labels, own=OWN), letters)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Returns the scores (N,) of features (N, D)."""
        return self.digits.distances(features) - LETTERS_PART * self.letters.distances(features)


class Novelty(NamedTuple):
    """Detector of images that resemble none of the ten classes.

    Attributes:
        members: Distributions of the features of each of M nets.
        threshold: Limit for the mean of the members' scores.
    """

    members: tuple[Member, ...]
    threshold: float

    @classmethod
    def fit(
        cls,
        held_out: HeldOut,
        widths: Sequence[int],
        letters: np.ndarray,
        letter_labels: np.ndarray,
    ) -> Self:
        """Fits the detector to images that were held out of training.

        The threshold is set by cross-validation: each half of the images is scored by distributions
        that were fitted to the other half. If each net held out images of its own, single nets'
        scores are used, which is conservative: a mean of several nets exceeds the threshold less
        often.

        Args:
            held_out: Features of held-out images; see `obstacle` for what is required.
            widths: Number of features of each net.
            letters: Float (L, F): features of letters, from all nets, concatenated.
            letter_labels: int (L,): which letter each is.
        """
        members, total = [], np.zeros(len(held_out.labels))
        for place, drawn in enumerate(split(letters, widths)):
            features, indices = held_out.of_net(place, widths)
            labels = held_out.labels[indices]
            letter_fit = Gaussians.fit(drawn, letter_labels, own=0)
            for one, other in ((0, 1), (1, 0)):
                half = Member.fit(features[other::2], labels[other::2], letter_fit)
                total[indices[one::2]] += half.scores(features[one::2])
            members.append(Member.fit(features, labels, letter_fit))
        mean = total / held_out.by.sum(axis=1)
        return cls(tuple(members), float(np.quantile(mean, KNOWN)))

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Returns the mean of the nets' scores (N,) for features (N, F)."""
        by_net = split(features, [member.digits.means.shape[1] for member in self.members])
        pairs = zip(self.members, by_net, strict=True)
        return np.mean([member.scores(of_net) for member, of_net in pairs], axis=0)

    def novel(self, features: np.ndarray) -> np.ndarray:
        """Returns which images resemble no class, bool (N,)."""
        return self.scores(features) > self.threshold


def split(features: np.ndarray, widths: Sequence[int]) -> list[np.ndarray]:
    """Splits concatenated features into those of each net, float64 (N, D)."""
    return np.split(features.astype(np.float64), np.cumsum(widths)[:-1], axis=1)


def obstacle(held_out: HeldOut, widths: Sequence[int]) -> str:
    """Returns the reason why no detector can be fitted to the held-out images; empty if one can."""
    if not held_out.features.shape[1]:
        return "a net has no linear layer that all images go through"
    if max(widths) > MOST_FEATURES:
        return f"a net has over {MOST_FEATURES} features"
    for net_images in held_out.by.T:
        labels = held_out.labels[net_images]
        halves = (np.bincount(labels[start::2], minlength=CLASSES) for start in (0, 1))
        if any(half.min() < FEWEST for half in halves):
            return "too few images of some class were held out"
    return ""


def no_digit(
    probabilities: np.ndarray, novelty: Novelty | None, features: np.ndarray
) -> np.ndarray:
    """Returns which images hold no digit, bool (N,).

    Args:
        probabilities: Float (N, 10).
        novelty: The detector; None to decide by probabilities only.
        features: Float (N, F): features from all nets, concatenated; (N, 0) if there are none.
    """
    highest = probabilities.max(axis=1, initial=0)
    unsure: np.ndarray = ~(highest >= LEAST_PROBABILITY)  # also if it is NaN
    return unsure | novelty.novel(features) if novelty and features.size else unsure
