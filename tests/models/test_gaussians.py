"""Distances of features, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance

from lit_mnist.models import gaussians
from lit_mnist.models.gaussians import Gaussians


@pytest.fixture
def known(monkeypatch):
    """Features (N, 5) of three classes and labels (N,); sets the ridge to zero."""
    monkeypatch.setattr(gaussians, "RIDGE", 0.0)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 900)
    spread = generator.normal(size=(900, 5)) @ generator.normal(size=(5, 5))
    return spread * (1 + labels[:, None]) + 4 * np.eye(5)[labels], labels


def test_distances_with_class_covariances_are_mahalanobis(known):
    features, labels = known
    each = [EmpiricalCovariance().fit(features[labels == name]) for name in range(3)]
    expected = np.min([one.mahalanobis(features) for one in each], axis=0)
    found = Gaussians.fit(features, labels, own=1).distances(features)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_distances_with_a_shared_covariance_are_mahalanobis(known):
    features, labels = known
    means = np.stack([features[labels == name].mean(axis=0) for name in range(3)])
    shared = EmpiricalCovariance(assume_centered=True).fit(features - means[labels])
    expected = np.min([shared.mahalanobis(features - mean) for mean in means], axis=0)
    found = Gaussians.fit(features, labels, own=0)
    assert found.roots.shape == (1, 5, 5)
    np.testing.assert_allclose(found.distances(features), expected, rtol=1e-9)
