"""Statistics of results: confidence interval, standard deviation, significance tests."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion, such as an accuracy: `correct` out of `count`.

    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927). Unlike the
    proportion plus or minus two standard errors, it is valid near 1, where accuracies are.

    Returns:
        Both limits, in [0, 1]; exactly 0 or 1 only if none or all are correct.

    Raises:
        ValueError: `count` is not positive, or `correct` is not in 0 to `count`.
    """
    if count < 1 or not 0 <= correct <= count:
        raise ValueError(f"{correct} correct among {count}")
    from scipy.stats import binomtest  # slow to import

    low, high = binomtest(correct, count).proportion_ci(0.95, method="wilson")
    return float(low), float(high)


def mean_sd(values: Iterable[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1), which is NaN for one value.

    Raises:
        ValueError: There are no values.
    """
    numbers = np.fromiter(values, float)
    if not len(numbers):
        raise ValueError("no values")
    sd = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    return float(numbers.mean()), sd


class McNemar(NamedTuple):
    """Result of McNemar's test of two classifiers on the same images."""

    only_first: int  # images that only the first classifies correctly
    only_second: int
    p_value: float  # of a difference at least as large if both are equally good


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> McNemar:
    """Compares two classifiers by McNemar's test in its exact form, two-sided.

    Only images that exactly one of them classifies correctly matter; if both are equally good, each
    such image is a fair coin flip.

    Args:
        first_right: bool (N,): which images the first classifies correctly.
        second_right: bool (N,): the same for the second.

    Raises:
        ValueError: The arrays are not boolean, or of different shapes.
    """
    if first_right.dtype != bool or second_right.dtype != bool:
        raise ValueError(f"{first_right.dtype} and {second_right.dtype} in place of bool")
    if first_right.shape != second_right.shape:
        raise ValueError(f"{first_right.shape} and {second_right.shape} differ")
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    discordant = only_first + only_second
    if not discordant:
        return McNemar(0, 0, 1.0)
    from scipy.stats import binomtest

    return McNemar(only_first, only_second, float(binomtest(only_first, discordant).pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for multiple comparisons; keeps the family-wise error rate.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected


class Welch(NamedTuple):
    """Result of Welch's test of the means of two samples."""

    difference: float  # mean of the first minus mean of the second
    low: float  # its 95 % interval
    high: float
    p_value: float  # of a difference at least as large if both means are equal


def welch(first: Sequence[float], second: Sequence[float]) -> Welch:
    """Compares two means by Welch's t-test, two-sided, which allows unequal variances.

    Raises:
        ValueError: A sample has fewer than two values, or both have zero variance.
    """
    if min(len(first), len(second)) < 2 or len({*first}) == len({*second}) == 1:
        raise ValueError("no spread to judge a difference by")
    from scipy.stats import ttest_ind

    result = ttest_ind(first, second, equal_var=False)
    low, high = result.confidence_interval(0.95)
    difference = float(np.mean(first) - np.mean(second))
    return Welch(difference, float(low), float(high), float(result.pvalue))
