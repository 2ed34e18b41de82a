"""The augmentation against SciPy, one image at a time, and its distribution."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import kstest

from lit_mnist.data import augment
from lit_mnist.data.augment import RandomAffine, affine


def parameters(count, seed):
    draw = np.random.default_rng(seed).uniform
    return {
        "theta_deg": draw(-10, 10, count),
        "shift_rows_px": draw(-2.8, 2.8, count),
        "shift_cols_px": draw(-2.8, 2.8, count),
        "zoom_rows": draw(0.9, 1.1, count),
        "zoom_cols": draw(0.9, 1.1, count),
    }


def reference(image, order, theta_deg, shift_rows_px, shift_cols_px, zoom_rows, zoom_cols):
    """Keras' `apply_affine_transform`: a matrix in (row, column), about the centre."""
    theta = np.deg2rad(theta_deg)
    x, y, one = np.eye(3)
    zoom = np.array([zoom_cols * x, zoom_rows * y, one])
    shift = np.array([x + shift_cols_px * one, y + shift_rows_px * one, one])
    turn = np.array(
        [np.cos(theta) * x - np.sin(theta) * y, np.sin(theta) * x + np.cos(theta) * y, one]
    )
    centre = np.array([x + 13.5 * one, y + 13.5 * one, one])
    matrix = centre @ turn @ shift @ zoom @ np.linalg.inv(centre)
    matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]  # (x, y) to (row, column)
    return ndimage.affine_transform(
        image, matrix[:2, :2], matrix[:2, 2], order=order, mode="nearest"
    )


def warped(images, values, **more):
    tensors = {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}
    return affine(torch.from_numpy(images)[:, None], **tensors, **more)[:, 0].numpy()


def test_equals_scipy_image_by_image():
    images = np.random.default_rng(0).random((50, 28, 28), dtype=np.float32)
    values = parameters(50, seed=1)
    result = warped(images, values)
    for i, image in enumerate(images):
        expected = reference(image, 1, **{name: value[i] for name, value in values.items()})
        np.testing.assert_allclose(result[i], expected, atol=1e-5)


def test_nearest_takes_the_pixels_that_scipy_takes():
    images = np.random.default_rng(0).random((50, 28, 28), dtype=np.float32)
    values = parameters(50, seed=1)
    result = warped(images, values, interpolation="nearest")
    expected = [
        reference(image, 0, **{name: value[i] for name, value in values.items()})
        for i, image in enumerate(images)
    ]
    # where a point lies halfway between two pixels, float32 may round to the other one
    assert np.mean(result != np.stack(expected)) < 1e-3
    assert np.isin(result, images).all()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("shift_rows_px", 2.0, {(12, 20)}),  # reads two rows further down, so the dot moves up
        ("shift_cols_px", 2.0, {(14, 18)}),
        ("theta_deg", 90.0, {(7, 14)}),
    ],
)
def test_moves_a_dot_where_it_should(name, value, expected):
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 14, 20] = 1
    still = {"theta_deg": 0, "shift_rows_px": 0, "shift_cols_px": 0, "zoom_rows": 1, "zoom_cols": 1}
    result = warped(image, {k: np.array([v]) for k, v in (still | {name: value}).items()})[0]
    assert {tuple(place) for place in np.argwhere(result > 0.5)} == expected


def test_background_stays_background():
    torch.manual_seed(0)
    for level in (0.0, 1.0):
        images = torch.full((64, 1, 28, 28), level)
        torch.testing.assert_close(RandomAffine()(images), images, atol=1e-6, rtol=0)


def test_draws_each_number_uniformly_and_independently(monkeypatch):
    seen = {}
    monkeypatch.setattr(augment, "affine", lambda images, **drawn: seen.update(drawn) or images)
    torch.manual_seed(0)
    RandomAffine()(torch.zeros(20_000, 1, 28, 28))
    ranges = {
        "theta_deg": (-10, 10),
        "shift_rows_px": (-2.8, 2.8),
        "shift_cols_px": (-2.8, 2.8),
        "zoom_rows": (0.9, 1.1),
        "zoom_cols": (0.9, 1.1),
    }
    assert seen.pop("interpolation") == "bilinear"
    assert seen.keys() == ranges.keys()
    for name, (low, high) in ranges.items():
        assert kstest(seen[name].numpy(), "uniform", (low, high - low)).pvalue > 1e-3, name
    correlations = np.corrcoef([seen[name].numpy() for name in ranges]) - np.eye(5)
    assert np.abs(correlations).max() < 0.03


def test_is_a_function_of_the_seed():
    images = torch.rand(8, 1, 28, 28)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(RandomAffine()(images))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
