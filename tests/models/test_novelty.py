"""What is like no class: distances, thresholds, and whose weights they are of."""

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance

from lit_mnist.models import novelty
from lit_mnist.models.novelty import ClassGaussians, Novelty, no_digit

WIDTHS = [6, 4]


def classes(count, seed):
    """Features (N, 10) of two nets, each class about a corner of its own; labels (N,)."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count)
    return generator.normal(size=(count, 10)) + 12 * np.eye(10)[labels], labels


def test_the_distance_is_mahalanobis_to_the_nearest_class(monkeypatch):
    monkeypatch.setattr(novelty, "RIDGE", 0.0)
    monkeypatch.setattr(novelty, "OWN", 1.0)
    features, labels = classes(2_000, seed=0)
    expected = np.min(
        [EmpiricalCovariance().fit(features[labels == c]).mahalanobis(features) for c in range(10)],
        axis=0,
    )
    found = ClassGaussians.fit(features, labels).distances(features)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_one_in_two_hundred_is_novel_and_so_is_all_between_the_classes():
    features, labels = classes(10_000, seed=1)
    rule = Novelty.fit(features, WIDTHS, labels)
    assert rule.novel(classes(10_000, seed=2)[0]).mean() == pytest.approx(0.005, abs=0.002)
    assert rule.novel(np.full((3, 10), 6.0)).all()


def test_it_is_read_for_the_weights_that_it_was_written_for_alone(tmp_path):
    features, labels = classes(500, seed=3)
    rule, path = Novelty.fit(features, WIDTHS, labels), tmp_path / "novelty.npz"
    assert novelty.load(path, "a", WIDTHS)[0] is None
    novelty.save(rule, "a", path)
    same, missing = novelty.load(path, "a", WIDTHS)
    assert missing == ""
    np.testing.assert_allclose(same.distances(features), rule.distances(features), rtol=1e-4)
    assert novelty.load(path, "b", WIDTHS) == (
        None,
        "novelty.npz is of other weights; test the run",
    )
    for widths in ([4, 6], [6, 4, 5]):
        assert novelty.load(path, "a", widths) == (None, "novelty.npz is damaged; test the run")
    path.write_bytes(path.read_bytes()[:900])
    assert novelty.load(path, "a", WIDTHS) == (None, "novelty.npz is damaged; test the run")


def test_what_stands_in_the_way_is_told():
    features, labels = classes(500, seed=4)
    assert novelty.obstacle(features, WIDTHS, labels) == ""
    assert "linear layer" in novelty.obstacle(features[:, :0], [], labels)
    assert novelty.obstacle(features, [600], labels) == "a net has over 512 features"
    assert "too few" in novelty.obstacle(features, WIDTHS, np.minimum(labels, 8))


def test_no_digit_is_what_is_improbable_or_novel():
    features, labels = classes(500, seed=5)
    rule = Novelty.fit(features, WIDTHS, labels)
    sure, unsure = np.eye(10)[[3, 3]], np.full((2, 10), 0.1)
    near_and_far = np.stack([12 * np.eye(10)[3], np.full(10, 6.0)])
    assert no_digit(sure, rule, near_and_far).tolist() == [False, True]
    assert no_digit(sure, None, near_and_far[:, :0]).tolist() == [False, False]
    assert no_digit(unsure, None, near_and_far[:, :0]).tolist() == [True, True]
    assert no_digit(np.zeros((0, 10)), rule, np.zeros((0, 0))).tolist() == []
