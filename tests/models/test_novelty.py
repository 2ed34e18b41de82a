"""The detector of novel images: scores, thresholds, and the images that it is fitted to."""

import numpy as np
import pytest

from lit_mnist.models import novelty, novelty_file
from lit_mnist.models.gaussians import Gaussians
from lit_mnist.models.novelty import HeldOut, Novelty, no_digit

WIDTHS = [6, 4]
ALL = np.full(10, 6.0)  # between all classes
LETTERS = 12 * np.eye(10)[[0, 2, 6, 8]] + 12 * np.eye(10)[[1, 3, 7, 9]]  # each of two classes


def classes(count, seed):
    """Features (N, 10) of two nets, each class around its own corner; labels (N,)."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count)
    return generator.normal(size=(count, 10)) + 12 * np.eye(10)[labels], labels


def letters(count, seed):
    """Features (N, 10) of letters; labels (N,)."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % len(LETTERS)
    return generator.normal(size=(count, 10)) + LETTERS[labels], labels


def held_out(count, seed):
    features, labels = classes(count, seed)
    return HeldOut(features, labels, np.ones((count, 2), bool))


def rule_of(known):
    return Novelty.fit(known, WIDTHS, *letters(400, seed=9))


def test_novel_are_1_in_200_digits_letters_and_outliers():
    rule = rule_of(held_out(10_000, seed=1))
    assert rule.novel(classes(10_000, seed=2)[0]).mean() == pytest.approx(0.005, abs=0.002)
    assert rule.novel(letters(400, seed=3)[0]).all()
    assert rule.novel(np.stack([ALL, -9 * ALL])).all()


def test_a_score_is_the_digit_distance_minus_half_the_letter_distance():
    known = held_out(2_000, seed=1)
    rule = rule_of(known)
    some = classes(50, seed=2)[0]
    each = [
        Gaussians.fit(known.features[:, own], known.labels, own=0.5).distances(some[:, own])
        - Gaussians.fit(shown[:, own], named, own=0).distances(some[:, own]) / 2
        for own in (slice(0, 6), slice(6, 10))
        for shown, named in [letters(400, seed=9)]
    ]
    np.testing.assert_allclose(rule.scores(some), np.mean(each, axis=0))


def test_with_folds_a_net_is_fitted_to_its_held_out_images_only():
    """The features of two nets side by side, where those of the other net are nonsense."""
    features, labels = classes(4_000, seed=1)
    features = np.concatenate([features, features], axis=1)  # two nets that find the same
    by = np.zeros((4_000, 2), bool)
    by[:2_000, 0] = by[2_000:, 1] = True
    shown, named = letters(400, seed=9)
    folds = HeldOut(features[:, :10], labels, by)

    rule = Novelty.fit(folds, [10, 10], np.concatenate([shown, shown], axis=1), named)

    for member, own in zip(rule.members, (slice(0, 2_000), slice(2_000, None)), strict=True):
        expected = Gaussians.fit(features[own, :10], labels[own], own=0.5)
        np.testing.assert_allclose(member.digits.means, expected.means)
        np.testing.assert_allclose(member.digits.roots, expected.roots)
    again, _ = classes(10_000, seed=2)
    novel = rule.novel(np.concatenate([again, again], axis=1))
    assert 0 < novel.mean() < 0.01


def test_a_detector_is_loaded_only_for_its_own_weights(tmp_path):
    known = held_out(1_000, seed=3)
    rule, path = rule_of(known), tmp_path / "novelty.npz"
    assert novelty_file.load(path, "a", WIDTHS)[0] is None
    novelty_file.save(rule, "a", path)
    same, missing = novelty_file.load(path, "a", WIDTHS)
    assert missing == ""
    np.testing.assert_allclose(
        same.scores(known.features), rule.scores(known.features), rtol=1e-3, atol=1e-3
    )
    other = "novelty.npz is of other weights; test the run"
    assert novelty_file.load(path, "b", WIDTHS) == (None, other)
    damaged = (None, "novelty.npz is damaged, or of an earlier version; test the run")
    for widths in ([4, 6], [6, 4, 5]):
        assert novelty_file.load(path, "a", widths) == damaged
    path.write_bytes(path.read_bytes()[:900])
    assert novelty_file.load(path, "a", WIDTHS) == damaged


def test_the_reason_why_no_detector_is_fitted_is_returned():
    known = held_out(1_000, seed=4)
    assert novelty.obstacle(known, WIDTHS) == ""
    assert "linear layer" in novelty.obstacle(known._replace(features=known.features[:, :0]), [])
    assert novelty.obstacle(known, [600]) == "a net has over 512 features"
    few = known._replace(labels=np.minimum(known.labels, 8))
    assert "too few" in novelty.obstacle(few, WIDTHS)
    some = known._replace(by=np.arange(2_000).reshape(1_000, 2) < 600)  # 300 images a net
    assert "too few" in novelty.obstacle(some, WIDTHS)


def test_improbable_and_novel_images_are_no_digit():
    rule = rule_of(held_out(1_000, seed=5))
    sure, unsure = np.eye(10)[[3, 3]], np.full((2, 10), 0.1)
    near_and_far = np.stack([12 * np.eye(10)[3], ALL])
    assert no_digit(sure, rule, near_and_far).tolist() == [False, True]
    assert no_digit(sure, rule, near_and_far[:, :0]).tolist() == [False, False]
    assert no_digit(sure, None, near_and_far).tolist() == [False, False]
    assert no_digit(unsure, None, near_and_far[:, :0]).tolist() == [True, True]
    assert no_digit(unsure * np.nan, None, near_and_far[:, :0]).tolist() == [True, True]
    assert no_digit(np.zeros((0, 10)), rule, np.zeros((0, 0))).tolist() == []
