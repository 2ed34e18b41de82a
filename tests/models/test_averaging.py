import random
from itertools import combinations
from typing import get_args

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from scipy import special
from torch.nn import functional as F

from lit_mnist.models.averaging import AVERAGES, _subsets, combine, disagreement, errors_by_size

RULES = get_args(AVERAGES)


def scores(members, images, scale=3.0, dtype=torch.float64):
    """Members that agree on most images, like members of one recipe."""
    generator = torch.Generator().manual_seed(members)
    common = torch.randn(images, 10, generator=generator, dtype=torch.float64)
    own = torch.randn(members, images, 10, generator=generator, dtype=torch.float64)
    return ((common + 0.5 * own) * scale).to(dtype)


def by_hand(logits, average):
    """Log-probabilities (N, 10) by NumPy, one image at a time."""
    return np.array(
        [of_one_image(rows, average) for rows in logits.double().numpy().swapaxes(0, 1)]
    )


def of_one_image(logits, average):
    log_probs = special.log_softmax(logits, axis=1)
    mean = special.logsumexp(log_probs, axis=0) - np.log(len(logits))
    if average == "probabilities":
        return mean
    if average == "logits":
        return special.log_softmax(logits.mean(axis=0))
    votes = np.bincount(log_probs.argmax(axis=1), minlength=10)
    winner = max(range(10), key=lambda digit: (votes[digit], mean[digit]))
    ballot = [0.109 if digit == winner else 0.099 for digit in range(10)]
    return np.log((votes + ballot) / (len(logits) + 1))


# ---------------------------------------------------------------- combine


@pytest.mark.parametrize("average", RULES)
@pytest.mark.parametrize("members", [1, 2, 5, 10])
def test_log_probabilities_equal_those_of_numpy(average, members):
    logits = scores(members, 200)

    combined = combine(logits, average)

    assert combined.shape == (200, 10)
    assert combined.dtype == torch.float64
    expected = by_hand(logits, average)
    assert combined.numpy() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert combined.argmax(1).tolist() == expected.argmax(axis=1).tolist()


@pytest.mark.parametrize("average", RULES)
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 0.005), (torch.float64, 1e-6)])
def test_extreme_logits_stay_finite_and_correct(average, dtype, close):
    logits = scores(3, 50, scale=1e4, dtype=dtype).clamp(-1e4, 1e4)
    logits[:, 0] = torch.tensor([[1e4], [-1e4], [0]], dtype=dtype)  # no class before another
    logits[:, 1] = -1e4
    logits[:, 1, 4] = 1e4

    combined = combine(logits, average)

    assert combined.isfinite().all()
    assert combined.numpy() == pytest.approx(by_hand(logits, average), rel=1e-6, abs=close)
    assert combined[1].argmax() == 4


@pytest.mark.parametrize("average", RULES)
def test_probabilities_sum_to_one(average):
    total = combine(scores(4, 100), average).exp().sum(1)

    assert total.numpy() == pytest.approx(np.ones(100), abs=1e-12)


def test_the_loss_is_the_nll_of_the_mean_probability():
    probabilities = torch.full((2, 1, 10), 0.01)
    probabilities[0, 0, 7], probabilities[1, 0, 7] = 0.91, 0.11
    probabilities[1, 0, 1] = 0.81

    loss = F.nll_loss(combine(probabilities.log()), torch.tensor([7]))

    assert loss.item() == pytest.approx(-np.log(0.51), abs=1e-6)


def test_the_three_averages_differ():
    # One member is very sure of 0; two others slightly favour 1.
    logits = torch.zeros(3, 1, 10)
    logits[0, 0, 0] = 9
    logits[1:, 0, 1] = 2

    chances = [combine(logits, average).exp()[0] for average in RULES]

    assert [chance.argmax().item() for chance in chances] == [0, 0, 1]
    assert len({round(chance.max().item(), 3) for chance in chances}) == 3


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_a_committee_of_one_is_its_member(average):
    logits = scores(1, 30)

    assert torch.equal(combine(logits, average), logits[0].log_softmax(1))


@pytest.mark.parametrize("average", RULES)
def test_equal_members_predict_like_a_single_one(average):
    logits = scores(1, 300)

    combined = combine(logits.expand(5, -1, -1), average)

    assert torch.equal(combined.argmax(1), logits[0].argmax(1))


@pytest.mark.parametrize("average", RULES)
def test_half_precision_is_widened_first(average):
    logits = scores(5, 40, dtype=torch.bfloat16)

    combined = combine(logits, average)

    assert combined.dtype == torch.float32
    assert torch.equal(combined, combine(logits.float(), average))


def test_an_unknown_average_is_refused():
    with pytest.raises(
        ValueError, match="average='mean' is not one of probabilities, logits, vote"
    ):
        combine(scores(2, 3), "mean")


def test_the_parser_accepts_exactly_the_three_averages(capsys):
    parser = ArgumentParser()
    parser.add_argument("--average", type=AVERAGES)

    assert [parser.parse_args([f"--average={rule}"]).average for rule in RULES] == [*RULES]
    with pytest.raises(SystemExit):
        parser.parse_args(["--average=mean"])
    assert "probabilities" in capsys.readouterr().err


# ---------------------------------------------------------------- votes


def ballots(*members):
    """Logits (M, 1, 10) of members given as {class: probability}."""
    probabilities = torch.full((len(members), 1, 10), 1e-9, dtype=torch.float64)
    for row, member in zip(probabilities[:, 0], members, strict=True):
        for digit, chance in member.items():
            row[digit] = chance
    return probabilities.log()


@pytest.mark.parametrize(
    ("members", "winner"),
    [
        ([{3: 0.4, 8: 0.3}, {3: 0.4, 8: 0.3}, {8: 0.99}], 3),  # two against one, however sure
        ([{3: 0.6, 8: 0.4}, {8: 0.7, 3: 0.3}], 8),  # a tie
        ([{8: 0.6, 3: 0.4}, {3: 0.7, 8: 0.3}], 3),
        ([{8: 0.6, 3: 0.4}, {3: 0.6 + 1e-12, 8: 0.4}], 3),  # as close as float64 can tell
        ([{2: 0.4, 5: 0.35}, {4: 0.4, 5: 0.35}, {6: 0.41, 5: 0.35}], 6),  # 5 leads without a vote
        ([{7: 0.5, 1: 0.5}], 1),
    ],
)
def test_most_votes_win_and_mean_probability_breaks_a_tie(members, winner):
    combined = combine(ballots(*members), "vote")[0]

    assert combined.argmax() == winner
    assert combined.sort().values[-2] < combined.max() - 1e-4  # nothing for rounding to decide


def test_the_loss_of_a_vote_uses_smoothed_vote_shares():
    logits = ballots({3: 0.9}, {3: 0.8}, {8: 0.7}, {3: 0.6})

    losses = -combine(logits, "vote")[0]

    assert losses[3].item() == pytest.approx(-np.log((3 + 0.109) / 5))
    assert losses[8].item() == pytest.approx(-np.log((1 + 0.099) / 5))
    assert losses[0].item() == pytest.approx(-np.log(0.099 / 5))


# ---------------------------------------------------------------- errors by size


def brute_force(logits, labels, average):
    rows = []
    for size in range(1, len(logits) + 1):
        errors = [
            (by_hand(logits[list(chosen)], average).argmax(axis=1) != labels.numpy()).sum()
            for chosen in combinations(range(len(logits)), size)
        ]
        rows.append((np.mean(errors), min(errors), max(errors)))
    return rows


@pytest.mark.parametrize("average", RULES)
@pytest.mark.parametrize("members", [1, 2, 4])
def test_errors_by_subset_equal_brute_force(average, members):
    logits = scores(members, 60, scale=1)
    labels = logits.sum(0).argmax(1)
    labels[::7] = (labels[::7] + 1) % 10

    counted = errors_by_size(logits, labels, average)

    assert counted == [pytest.approx(row) for row in brute_force(logits, labels, average)]
    assert len(counted) == members
    assert counted[-1].mean == counted[-1].fewest == counted[-1].most


def test_a_second_member_corrects_errors_of_a_single_member():
    chances = torch.full((10, 12, 10), 0.01, dtype=torch.float64)
    chances[:, :, 0] = 0.91
    for member in range(10):
        chances[member, member, :2] = torch.tensor([0.3, 0.62])
    labels = torch.zeros(12, dtype=torch.long)
    labels[11] = 9  # and all are wrong about this one

    assert errors_by_size(chances.log(), labels) == [(2, 2, 2)] + [(1, 1, 1)] * 9


def test_subsets_are_sampled_above_ten_members():
    logits = scores(12, 40, scale=1)
    labels = logits.sum(0).argmax(1)
    chances = special.softmax(logits.numpy(), axis=2)
    state = random.getstate()

    counted = errors_by_size(logits, labels)

    for size, row in enumerate(counted, 1):
        masks = [np.isin(range(12), chosen) for chosen in combinations(range(12), size)]
        summed = np.einsum("sm,mnc->snc", np.array(masks, float), chances)
        errors = (summed.argmax(axis=2) != labels.numpy()).sum(axis=1)
        if len(masks) <= 252:
            assert row == pytest.approx((errors.mean(), errors.min(), errors.max()))
        else:
            assert errors.min() <= row.fewest <= row.mean <= row.most <= errors.max()
            assert row.mean == pytest.approx(errors.mean(), abs=4 * errors.std() / 252**0.5)
    assert counted == errors_by_size(logits, labels)
    assert random.getstate() == state


def test_no_subset_is_drawn_twice():
    for members, size in [(11, 5), (23, 2), (40, 20)]:
        drawn = [*_subsets(members, size)]

        assert len(drawn) == len(set(drawn)) == 252
        assert all(len(set(chosen)) == size for chosen in drawn)
        assert {member for chosen in drawn for member in chosen} == {*range(members)}


def test_subsets_of_equal_members_have_equal_errors():
    logits = scores(1, 50).expand(4, -1, -1)
    labels = torch.zeros(50, dtype=torch.long)

    errors = int((logits[0].argmax(1) != 0).sum())

    assert errors_by_size(logits, labels) == [(errors, errors, errors)] * 4


# ---------------------------------------------------------------- disagreement


def test_disagreement_is_counted_per_image():
    predictions = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (4, 50)))

    apart, pairs = disagreement(predictions)

    columns = predictions.numpy().T
    assert apart == pytest.approx(np.mean([len(set(column)) > 1 for column in columns]))
    expected = [[np.mean(a != b) for b in predictions.numpy()] for a in predictions.numpy()]
    assert pairs.numpy() == pytest.approx(np.array(expected))


def test_one_member_never_disagrees():
    apart, pairs = disagreement(torch.tensor([[1, 2, 3]]))

    assert apart == 0
    assert pairs.tolist() == [[0]]
