"""The augmentation against SciPy, one image at a time, and its distribution."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import kstest

from lit_mnist.data import augment, sampling
from lit_mnist.data.augment import RandomAffine, affine, elastic_offsets
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError


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


def test_nearest_picks_the_same_pixels_as_scipy():
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
def test_moves_a_dot_to_the_expected_place(name, value, expected):
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


def test_parameters_are_drawn_uniformly_and_independently(monkeypatch):
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
    assert (seen.pop("shear_deg"), seen.pop("offsets_px")) == (None, None)
    assert seen.keys() == ranges.keys()
    for name, (low, high) in ranges.items():
        assert kstest(seen[name].numpy(), "uniform", (low, high - low)).pvalue > 1e-3, name
    correlations = np.corrcoef([seen[name].numpy() for name in ranges]) - np.eye(5)
    assert np.abs(correlations).max() < 0.03


def test_a_single_image_is_refused_for_a_batch():
    with pytest.raises(
        UserError, match=r"^images of shape \(1, 28, 28\): give a batch \(N, 1, 28, 2"
    ):
        RandomAffine(shear=1.0, elastic=1.0)(torch.rand(1, 28, 28))


def test_augmentation_is_a_function_of_the_seed():
    images = torch.rand(8, 1, 28, 28)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(RandomAffine()(images))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_images_of_any_float_type_are_augmented_in_float32(dtype):
    images, results = torch.rand(8, 1, 28, 28).to(dtype), []
    for seen in (images, images.float()):
        torch.manual_seed(1)
        results.append(RandomAffine(shear=5.0, elastic=0.5)(seen))
    assert torch.equal(results[0], results[1].to(dtype))
    assert results[0].dtype == dtype


def places(theta_deg, shift_rows_px, shift_cols_px, zoom_rows, zoom_cols, shear_deg):
    """Rows and columns that each pixel of one image reads: matrices about the centre, in (x, y)."""
    theta, shear = np.deg2rad(theta_deg), np.deg2rad(shear_deg)
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    slant = np.array([[1, np.tan(shear)], [0, 1]])
    rows, cols = np.mgrid[:28, :28] - 13.5
    moved = np.stack([zoom_cols * cols + shift_cols_px, zoom_rows * rows + shift_rows_px])
    x, y = np.einsum("ij,jrc->irc", turn @ slant, moved)
    return y + 13.5, x + 13.5


@pytest.mark.parametrize("sd_px", [0.0, 1.5])
def test_shear_and_elastic_distortion_equal_scipy_image_by_image(sd_px):
    generator = np.random.default_rng(0)
    images = generator.random((20, 28, 28), dtype=np.float32)
    values = parameters(20, seed=1) | {"shear_deg": generator.uniform(-15, 15, 20)}
    offsets = generator.normal(0, 1, (20, 2, 28, 28)) * sd_px  # along columns, along rows
    more = {"offsets_px": torch.from_numpy(offsets).float()} if sd_px else {}
    result = warped(images, values, **more)
    for i, image in enumerate(images):
        rows, cols = places(**{name: value[i] for name, value in values.items()})
        read = [rows + offsets[i, 1], cols + offsets[i, 0]]
        expected = ndimage.map_coordinates(image, read, order=1, mode="nearest")
        np.testing.assert_allclose(result[i], expected, atol=2e-5)


def test_shear_slants_a_stroke():
    image = np.zeros((1, 28, 28), np.float32)
    image[0, :, 13:15] = 1
    still = {"theta_deg": 0, "shift_rows_px": 0, "shift_cols_px": 0, "zoom_rows": 1, "zoom_cols": 1}
    result = warped(image, {k: np.array([v]) for k, v in (still | {"shear_deg": 20}).items()})[0]
    centres = (result * np.arange(28)).sum(1) / result.sum(1)
    slope = np.polyfit(np.arange(28), centres, 1)[0]
    assert slope == pytest.approx(-np.tan(np.deg2rad(20)), rel=0.02)


def test_elastic_offsets_are_gaussian_sums_of_unit_variance():
    noise = np.random.default_rng(0).normal(size=(2, 2, 7, 7))
    distance = np.arange(28)[:, None] - np.arange(7) * 4.5  # pixels from nodes: 27 / 6 apart
    bump = np.exp(-(distance**2) / (2 * 4.0**2))
    bump /= np.sqrt((bump**2).sum(1, keepdims=True))
    expected = np.einsum("ri,cj,nkij->nkrc", bump, bump, noise)
    offsets = elastic_offsets(torch.from_numpy(noise))
    np.testing.assert_allclose(offsets.numpy(), expected, atol=1e-12)
    torch.manual_seed(0)
    spread = elastic_offsets(torch.randn(20_000, 2, 7, 7)).std(dim=0)
    assert 0.97 < spread.min() < spread.max() < 1.03


def test_the_notebook_s_augmentation_draws_the_same_numbers_as_before():
    """It draws five rows in one call, and nothing else."""
    images = torch.rand(8, 1, 28, 28)
    torch.manual_seed(3)
    draws = torch.rand(5, 8) * 2 - 1
    after = torch.get_rng_state()
    shifts = {"shift_rows_px": draws[1] * 2.8, "shift_cols_px": draws[2] * 2.8}
    zooms = {"zoom_rows": 1 + draws[3] * 0.1, "zoom_cols": 1 + draws[4] * 0.1}
    expected = affine(images, theta_deg=draws[0] * 10, **shifts, **zooms)
    torch.manual_seed(3)
    assert torch.equal(RandomAffine()(images), expected)
    assert torch.equal(torch.get_rng_state(), after)


def test_shear_and_elastic_keep_the_other_draws(monkeypatch):
    seen = []
    monkeypatch.setattr(augment, "affine", lambda images, **drawn: seen.append(drawn) or images)
    for more in ({}, {"shear": 10.0}, {"shear": 10.0, "elastic": 0.5}):
        torch.manual_seed(3)
        RandomAffine(**more)(torch.zeros(5_000, 1, 28, 28))
    for drawn in seen[1:]:
        assert all(torch.equal(drawn[name], seen[0][name]) for name in parameters(1, 0))
    assert kstest(seen[1]["shear_deg"].numpy(), "uniform", (-10, 20)).pvalue > 1e-3
    assert torch.equal(seen[1]["shear_deg"], seen[2]["shear_deg"])
    assert seen[2]["offsets_px"].std().item() == pytest.approx(0.5, rel=0.03)


def test_shear_and_elastic_options_need_augmentation():
    module = MNISTDataModule(augment=True, shear=8, elastic=0.7)
    assert (module.augment.shear, module.augment.elastic) == (8.0, 0.7)
    with pytest.raises(UserError, match=r"--data.shear 8: has no effect without --data.augment"):
        MNISTDataModule(shear=8)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_the_way_of_apples_gpus_reads_the_same_pixels(interpolation):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(20, 1, 28, 28, generator=generator)
    grid = torch.rand(20, 28, 28, 2, generator=generator) * 3 - 1.5  # beyond each border
    how = {"padding_mode": "border", "align_corners": False}
    expected = torch.nn.functional.grid_sample(images, grid, interpolation, **how)
    found = sampling.sample_within(images, grid, interpolation)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
