"""Members run one after another, against running all of them."""

import numpy as np
import pytest
import torch

from lit_mnist.models import cascade


@pytest.fixture
def members():
    """Probabilities of 4 members on 3,000 images, which are unsure in different degrees."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3000, 10, generator=generator) * 3
    noise = torch.randn(4, 3000, 10, generator=generator)
    return (logits + noise).softmax(2)


def expected_cascade(members, limits):
    """Answers and members used, image by image."""
    answers, used = [], []
    for image in members.double().numpy().transpose(1, 0, 2):
        for number in range(1, len(image) + 1):
            mean = image[:number].mean(0)
            if number == len(image) or mean.max() >= limits[number - 1]:
                break
        answers.append(mean.argmax())
        used.append(number)
    return np.array(answers), np.array(used)


def test_thresholds_change_no_answer_on_validation(members):
    limits = cascade.thresholds(members)
    outcome = cascade.outcome(members, limits)
    assert torch.equal(outcome.probabilities.argmax(1), members.double().mean(0).argmax(1))
    assert 1 < outcome.used.double().mean() < 4


def test_the_outcome_equals_a_loop_over_images(members):
    limits = [0.9, 0.8, 0.7]
    outcome = cascade.outcome(members, limits)
    answers, used = expected_cascade(members, limits)
    np.testing.assert_array_equal(outcome.used, used)
    np.testing.assert_array_equal(outcome.probabilities.argmax(1), answers)


def test_a_lower_threshold_would_change_an_answer(members):
    limits = cascade.thresholds(members)
    final = members.double().mean(0).argmax(1)
    lower = [limits[0] - 1e-6, *limits[1:]]
    assert (cascade.outcome(members, lower).probabilities.argmax(1) != final).sum() == 1


def test_members_run_only_on_undecided_images(members):
    limits, calls = cascade.thresholds(members), []

    def member(number):
        def log_probs(places):
            calls.append(len(places))
            return members[number][places[:, 0, 0, 0].long()].log()

        return log_probs

    places = torch.arange(3000.0).view(-1, 1, 1, 1)
    outcome = cascade.run([member(number) for number in range(4)], places, limits)
    expected = cascade.outcome(members, limits)
    assert torch.equal(outcome.used, expected.used)
    torch.testing.assert_close(outcome.probabilities, expected.probabilities, rtol=1e-6, atol=1e-9)
    assert calls == [int((expected.used >= number).sum()) for number in (1, 2, 3, 4)]


def test_equal_members_run_once(members):
    same = members[:1].expand(3, -1, -1)
    assert set(cascade.outcome(same, cascade.thresholds(same)).used.tolist()) == {1}
