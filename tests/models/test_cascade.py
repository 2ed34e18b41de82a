"""Members asked one after another, against asking all of them."""

import numpy as np
import pytest
import torch

from lit_mnist.models import cascade


@pytest.fixture
def members():
    """Probabilities of 4 members on 3,000 images, which are unsure in different degrees."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3000, 10, generator=generator) * 3
    own = torch.randn(4, 3000, 10, generator=generator)
    return (logits + own).softmax(2)


def by_hand(members, limits):
    """Answers and members asked, image by image."""
    answers, asked = [], []
    for image in members.double().numpy().transpose(1, 0, 2):
        for number in range(1, len(image) + 1):
            mean = image[:number].mean(0)
            if number == len(image) or mean.max() >= limits[number - 1]:
                break
        answers.append(mean.argmax())
        asked.append(number)
    return np.array(answers), np.array(asked)


def test_no_answer_changes_where_the_thresholds_were_set(members):
    limits = cascade.thresholds(members)
    found = cascade.outcome(members, limits)
    assert torch.equal(found.probabilities.argmax(1), members.double().mean(0).argmax(1))
    assert 1 < found.asked.double().mean() < 4


def test_the_outcome_is_that_of_asking_one_image_at_a_time(members):
    limits = [0.9, 0.8, 0.7]
    found = cascade.outcome(members, limits)
    answers, asked = by_hand(members, limits)
    np.testing.assert_array_equal(found.asked, asked)
    np.testing.assert_array_equal(found.probabilities.argmax(1), answers)


def test_a_lower_threshold_would_change_an_answer(members):
    limits = cascade.thresholds(members)
    final = members.double().mean(0).argmax(1)
    lower = [limits[0] - 1e-6, *limits[1:]]
    assert (cascade.outcome(members, lower).probabilities.argmax(1) != final).sum() == 1


def test_members_are_asked_about_those_images_alone(members):
    limits, said = cascade.thresholds(members), []

    def member(number):
        def log_probs(places):
            said.append(len(places))
            return members[number][places[:, 0, 0, 0].long()].log()

        return log_probs

    places = torch.arange(3000.0).view(-1, 1, 1, 1)
    found = cascade.ask([member(number) for number in range(4)], places, limits)
    expected = cascade.outcome(members, limits)
    assert torch.equal(found.asked, expected.asked)
    torch.testing.assert_close(found.probabilities, expected.probabilities, rtol=1e-6, atol=1e-9)
    assert said == [int((expected.asked >= number).sum()) for number in (1, 2, 3, 4)]


def test_members_that_agree_are_asked_once(members):
    same = members[:1].expand(3, -1, -1)
    assert set(cascade.outcome(same, cascade.thresholds(same)).asked.tolist()) == {1}
