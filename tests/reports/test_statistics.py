import math

import numpy as np
import pytest
from scipy import stats

from lit_mnist.reports.statistics import holm, mcnemar, mean_sd, welch, wilson_interval

# ---------------------------------------------------------------- Wilson's interval


@pytest.mark.parametrize(
    ("correct", "count"),
    [(0, 1), (1, 1), (0, 10_000), (10_000, 10_000), (1, 3), (5, 10), (9_974, 10_000), (7, 60_000)],
)
def test_the_interval_equals_that_of_scipy(correct, count):
    interval = wilson_interval(correct, count)

    expected = stats.binomtest(correct, count).proportion_ci(0.95, method="wilson")
    assert interval == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-15)
    assert interval[0] <= correct / count <= interval[1]


def test_limits_for_none_and_all_are_exactly_0_and_1():
    assert wilson_interval(0, 10_000)[0] == 0
    assert wilson_interval(10_000, 10_000)[1] == 1
    assert wilson_interval(1, 10_000)[0] > 0
    assert wilson_interval(9_999, 10_000)[1] < 1


def test_a_tiny_proportion_keeps_its_precision():
    low, _ = wilson_interval(1, 10**12)

    # For p near 0 the score equation is (1 - np)² = z²·np, whatever n is.
    z = 1.959963984540054
    small = 1 + z**2 / 2 - z * math.sqrt(1 + z**2 / 4)
    assert low * 1e12 == pytest.approx(small, rel=1e-9)


@pytest.mark.parametrize(("correct", "count"), [(0, 0), (-1, 10), (11, 10), (0, -1)])
def test_an_interval_of_0_trials_is_refused(correct, count):
    with pytest.raises(ValueError, match=f"{correct} correct among {count}"):
        wilson_interval(correct, count)


@pytest.mark.parametrize("share", [0.5, 0.98, 0.9907, 0.9974])
def test_the_interval_covers_the_true_proportion_95_percent(share):
    drawn = np.random.default_rng(0).binomial(10_000, share, size=5_000)

    counts, places = np.unique(drawn, return_inverse=True)  # each interval once
    intervals = np.array([wilson_interval(int(count), 10_000) for count in counts])[places]

    covered = (intervals[:, 0] <= share) & (share <= intervals[:, 1])
    assert 0.93 <= covered.mean() <= 0.97


# ---------------------------------------------------------------- mean and spread


@pytest.mark.parametrize("values", [[0.9930, 0.9938], [26, 30, 29, 43, 35], range(100)])
def test_mean_and_deviation_equal_those_of_scipy(values):
    described = stats.describe(list(values), ddof=1)

    assert mean_sd(values) == pytest.approx((described.mean, described.variance**0.5), rel=1e-12)


def test_arrays_and_generators_are_accepted():
    assert mean_sd(np.array([1.0, 2.0, 3.0])) == mean_sd(x for x in (1, 2, 3)) == (2.0, 1.0)


def test_one_value_has_no_deviation():
    mean, sd = mean_sd([0.5])

    assert mean == 0.5
    assert math.isnan(sd)


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="no values"):
        mean_sd([])


# ---------------------------------------------------------------- McNemar's test


def right(both, only_first, only_second, neither):
    """Two arrays in which each case occurs the given number of times."""
    cases = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [both, only_first, only_second, neither], 0)
    shuffled = np.random.default_rng(0).permutation(cases).astype(bool)
    return shuffled[:, 0], shuffled[:, 1]


@pytest.mark.parametrize(
    ("only_first", "only_second"),
    [(0, 0), (1, 0), (0, 1), (3, 3), (3, 4), (11, 0), (17, 30), (200, 250), (4_000, 4_200)],
)
def test_the_p_value_equals_that_of_scipy(only_first, only_second):
    result = mcnemar(*right(50, only_first, only_second, 20))

    assert result[:2] == (only_first, only_second)
    discordant = only_first + only_second
    expected = stats.binomtest(only_first, discordant).pvalue if discordant else 1
    assert result.p_value == pytest.approx(expected, rel=1e-9)


def test_15_errors_nested_in_26_differ_significantly():
    assert mcnemar(*right(9_974, 0, 11, 15)).p_value == 2 / 2**11


def test_the_order_of_the_classifiers_does_not_matter():
    one, other = right(900, 8, 21, 5)

    assert mcnemar(one, other).p_value == mcnemar(other, one).p_value


def test_large_counts_neither_overflow_nor_take_long():
    assert mcnemar(*right(0, 10_000, 0, 0)).p_value == 0  # 2^-9999, below the least float
    assert mcnemar(*right(0, 5_000, 5_000, 0)).p_value == 1


def test_p_values_of_equal_classifiers_are_calibrated():
    generator = np.random.default_rng(0)
    pairs = generator.random((1_000, 2, 400)) < 0.9

    p_values = np.array([mcnemar(one, other).p_value for one, other in pairs])

    # The exact test is slightly conservative, never liberal.
    assert 0.01 < (p_values <= 0.05).mean() < 0.055


def test_class_labels_instead_of_booleans_are_refused():
    with pytest.raises(ValueError, match="int64 and bool in place of bool"):
        mcnemar(np.array([3, 4]), np.array([True, False]))


def test_different_images_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\) differ"):
        mcnemar(np.ones(2, bool), np.ones(3, bool))


# ---------------------------------------------------------------- several comparisons


def test_holm_equals_the_closed_bonferroni_test():
    p_values = np.random.default_rng(0).random((50, 4)) ** 3
    subsets = [[k for k in range(4) if bits >> k & 1] for bits in range(1, 16)]
    for row in p_values:
        # a hypothesis is rejected if every set that contains it is
        expected = [
            max(min(1, len(some) * row[some].min()) for some in subsets if k in some)
            for k in range(4)
        ]
        assert holm(row.tolist()) == pytest.approx(expected, rel=1e-12)


def test_holm_of_none_and_of_one():
    assert holm([]) == []
    assert holm([0.03]) == [0.03]


def test_welch_equals_scipy_and_needs_a_deviation():
    first, second = [0.99, 0.992, 0.991], [0.98, 0.985]
    theirs = stats.ttest_ind(first, second, equal_var=False)
    found = welch(first, second)
    assert found.p_value == theirs.pvalue
    assert (found.low, found.high) == tuple(theirs.confidence_interval())
    assert found.difference == pytest.approx((found.low + found.high) / 2)
    for one, other in (([0.9], [0.8, 0.9]), ([0.9, 0.9], [0.8, 0.8])):
        with pytest.raises(ValueError, match="no spread"):
            welch(one, other)
