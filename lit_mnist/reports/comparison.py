"""Whether tested runs, or the seeds of systems, differ by more than chance."""

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lit_mnist.reports.statistics import holm, mcnemar, mean_sd, welch, wilson_interval

SIGNIFICANT = 0.05
NO_DIFFERENCE = "no difference that chance could not explain"


class Tested(NamedTuple):
    """A test of N images, in index order."""

    name: str
    data_sha256: str  # hash of the images; empty if it is not known
    indices: np.ndarray  # int (N,)
    labels: np.ndarray  # int (N,)
    right: np.ndarray  # bool (N,)
    other: str = ""  # the tested checkpoint, if the run's validation score is of another


def same_images(first: Tested, second: Tested) -> bool:
    """Returns whether two runs were tested on the same images, as far as that is known."""
    hashes = {first.data_sha256, second.data_sha256} - {""}
    same_labels = np.array_equal(first.labels, second.labels)
    return len(hashes) < 2 and same_labels and np.array_equal(first.indices, second.indices)


def is_seed(folder: Path) -> bool:
    """Whether a folder is a seed's, not a fold's, whose network was trained on other images."""
    return re.fullmatch(r"seed_\d+", folder.name) is not None


def score_line(one: Tested) -> str:
    """Formats a run's accuracy."""
    count, correct = len(one.labels), int(one.right.sum())
    low, high = wilson_interval(correct, count)
    return (
        f"{one.name}: accuracy {correct / count:.4f} (95 % interval {low:.4f} to {high:.4f}),"
        f" {count - correct} errors in {count:,}"
    )


def lines(first: Tested, second: Tested) -> list[str]:
    """Returns the comparison of two runs, one fact per line."""
    result = mcnemar(first.right, second.right)
    text = [
        score_line(first),
        score_line(second),
        f"right in the first alone: {result.only_first}, in the second: {result.only_second}",
        f"McNemar's exact test, two-sided: p = {result.p_value:.3g}",
    ]
    if result.p_value >= SIGNIFICANT:
        return [*text, NO_DIFFERENCE]
    better = first if result.only_first > result.only_second else second
    return [*text, f"{better.name} is better by more than chance would explain"]


def pair_lines(runs: Sequence[Tested]) -> list[str]:
    """Returns the image-by-image comparisons of all pairs of runs, one pair per line."""
    pairs = list(combinations(runs, 2))
    results = [mcnemar(one.right, other.right) for one, other in pairs]
    corrected = holm([result.p_value for result in results])
    text = [*map(score_line, runs)]
    text.append(f"McNemar's exact test, two-sided; corrected for {len(pairs)} pairs by Holm:")
    better = []
    for (one, other), result, p_value in zip(pairs, results, corrected, strict=True):
        text.append(
            f"{one.name}, {other.name}: right in one alone {result.only_first} and"
            f" {result.only_second}, p = {result.p_value:.3g}, corrected {p_value:.3g}"
        )
        if p_value < SIGNIFICANT:
            first_wins = result.only_first > result.only_second
            winner, loser = (one, other) if first_wins else (other, one)
            better.append(f"{winner.name} is better than {loser.name} by more than chance explains")
    return [*text, *(better or [NO_DIFFERENCE])]


def mean_lines(runs: Sequence[Tested]) -> list[str]:
    """Compares the mean accuracies of systems with several seeds each."""
    several = _several_seeds(runs)
    pairs = [
        (first, second)
        for first, second in combinations(several, 2)
        if len({*several[first]}) > 1 or len({*several[second]}) > 1
    ]
    text = [f"{one.name}: left out of the means of seeds" for one in runs if one.other]
    if not pairs:
        return text if len(runs) > 3 else []  # fewer have no means to compare
    results = [welch(several[first], several[second]) for first, second in pairs]
    for name, scores in several.items():
        mean, spread = mean_sd(scores)
        text.append(f"{name}: mean accuracy {mean:.4f} ± {spread:.4f} of {len(scores)} seeds")
    text.append(f"Welch's t-test of the means, two-sided; corrected for {len(pairs)} by Holm:")
    corrected = holm([result.p_value for result in results])
    for (first, second), result, p_value in zip(pairs, results, corrected, strict=True):
        text.append(
            f"{first}, {second}: difference {result.difference:+.4f}"
            f" (95 % interval {result.low:+.4f} to {result.high:+.4f}),"
            f" p = {result.p_value:.3g}, corrected {p_value:.3g}"
        )
    return text


def _several_seeds(runs: Sequence[Tested]) -> dict[str, list[float]]:
    """Returns the accuracies of each system's seeds by the system's folder, if it has several."""
    systems: dict[str, list[float]] = {}
    for one in runs:
        folder = Path(one.name)
        if is_seed(folder) and not one.other:
            systems.setdefault(str(folder.parent), []).append(float(one.right.mean()))
    return {name: scores for name, scores in systems.items() if len(scores) > 1}
