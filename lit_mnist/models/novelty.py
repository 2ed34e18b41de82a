"""What is no digit: images whose features lie nearer to those of letters, or far from everything.

A net that knows ten classes is sure of most letters, too. Its features, which are what reaches its
last linear layer, tell more: those of each class are taken for normally distributed, and so are
those of letters that are drawn for the purpose. An image's score is the squared Mahalanobis
distance to the nearest class, less half of that to the nearest letter; it counts as no digit if the
score is greater than that of 199 in 200 held-out images (Lee et al., NeurIPS 2018, for the first
distance; Ren et al., arXiv:2106.09022, for one relative to another). A class's covariance is the
mean of its own and the one that all classes share (Friedman, Regularized Discriminant Analysis,
1989).
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from lit_mnist.models.gaussians import Gaussians
from lit_mnist.shape import CLASSES

# Below it, the other nine together are more probable, and there is no digit
LEAST_PROBABILITY = 0.5
KNOWN = 0.995  # of the held-out images are not novel
LETTERS_PART = 0.5  # of the distance to letters; all of it loses what is far from both
OWN = 0.5  # a class's own part of its covariance; of letters, which are too few, nothing
MOST_FEATURES = 512  # of a net; what is fitted to them takes 12 MB
FEWEST = 20  # images of a class, in each half of the held-out ones


class HeldOut(NamedTuple):
    """Features of N images, each of those of M nets that were not trained on it.

    Attributes:
        features: Float (N, F): of those nets, side by side.
        labels: int (N,).
        by: bool (N, M): which nets they are.
    """

    features: np.ndarray
    labels: np.ndarray
    by: np.ndarray

    def of_net(self, place: int, widths: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Gives one net's features, float64 (K, D), and the places of their K images (K,)."""
        own = np.flatnonzero(self.by[:, place])
        before = int(
            self.by[own[:1], :place].astype(int).sum(axis=0) @ np.array(widths[:place], int)
        )
        return self.features[own, before : before + widths[place]].astype(np.float64), own


class Member(NamedTuple):
    """What one net's features are like: those of digits, and those of letters."""

    digits: Gaussians
    letters: Gaussians

    @classmethod
    def fit(cls, features: np.ndarray, labels: np.ndarray, letters: Gaussians) -> Self:
        """Estimates the first from the features (N, D) of digits with labels (N,)."""
        return cls(Gaussians.fit(features, labels, own=OWN), letters)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Gives the scores (N,) of features (N, D)."""
        return self.digits.distances(features) - LETTERS_PART * self.letters.distances(features)


class Novelty(NamedTuple):
    """Tells images that are like none of the ten classes.

    Attributes:
        members: Of each of M nets.
        threshold: Of the mean of the members' scores.
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
        """Fits it to images on which no net, or not the one that answers, was trained.

        The threshold is that of scores by what was fitted to the other half of the images. Where
        each net held out images of its own, it is that of one net's scores: a mean of several
        exceeds it more seldom.

        Args:
            held_out: See `obstacle`.
            widths: How many features each net has.
            letters: Float (L, F): features of letters, of all nets side by side.
            letter_labels: int (L,): which letter each is.
        """
        members, total = [], np.zeros(len(held_out.labels))
        for place, drawn in enumerate(split(letters, widths)):
            features, own = held_out.of_net(place, widths)
            labels = held_out.labels[own]
            known = Gaussians.fit(drawn, letter_labels, own=0)
            for one, other in ((0, 1), (1, 0)):
                half = Member.fit(features[other::2], labels[other::2], known)
                total[own[one::2]] += half.scores(features[one::2])
            members.append(Member.fit(features, labels, known))
        mean = total / held_out.by.sum(axis=1)
        return cls(tuple(members), float(np.quantile(mean, KNOWN)))

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Gives the mean of the nets' scores, (N,), from their features, (N, F)."""
        each = split(features, [member.digits.means.shape[1] for member in self.members])
        pairs = zip(self.members, each, strict=True)
        return np.mean([member.scores(of_net) for member, of_net in pairs], axis=0)

    def novel(self, features: np.ndarray) -> np.ndarray:
        """Tells which images are like no class, bool (N,)."""
        return self.scores(features) > self.threshold


def split(features: np.ndarray, widths: Sequence[int]) -> list[np.ndarray]:
    """Gives each net's features, float64 (N, D), from those of all side by side."""
    return np.split(features.astype(np.float64), np.cumsum(widths)[:-1], axis=1)


def obstacle(held_out: HeldOut, widths: Sequence[int]) -> str:
    """Tells why no rule can be fitted to the held-out images; empty if one can."""
    if not held_out.features.shape[1]:
        return "a net has no linear layer that all images go through"
    if max(widths) > MOST_FEATURES:
        return f"a net has over {MOST_FEATURES} features"
    for own in held_out.by.T:
        labels = held_out.labels[own]
        halves = (np.bincount(labels[start::2], minlength=CLASSES) for start in (0, 1))
        if any(half.min() < FEWEST for half in halves):
            return "too few images of some class were held out"
    return ""


def no_digit(
    probabilities: np.ndarray, novelty: Novelty | None, features: np.ndarray
) -> np.ndarray:
    """Tells which images hold no digit, bool (N,).

    Args:
        probabilities: Float (N, 10).
        novelty: None where probabilities alone decide.
        features: Float (N, F): of all nets side by side; (N, 0) where there are none.
    """
    unsure: np.ndarray = probabilities.max(axis=1, initial=0) < LEAST_PROBABILITY
    return unsure | novelty.novel(features) if novelty and features.size else unsure
