import numpy as np
import pytest

from lit_mnist.pictures.ground import find_ink, without_pits
from tests.pictures.written import canvas, paper, write


def errors(ink, truth):
    """The proportion of pixels wrongly classified as ink or paper."""
    return np.mean((ink.strength > max(ink.threshold, 0.5 * ink.strength.max())) != truth)


TRUTH = paper(ground=0, ink=255) > 127


@pytest.mark.parametrize(("ground", "ink"), [(230, 40), (20, 240), (150, 90), (90, 150)])
def test_ink_is_found_dark_on_light_and_light_on_dark(ground, ink):
    found = find_ink(paper(ground=ground, ink=ink))

    assert errors(found, TRUTH) < 0.01
    assert found.strength.max() == pytest.approx(abs(ground - ink), abs=3)


@pytest.mark.parametrize("ink", [30, 225])
def test_uneven_light_is_not_ink(ink):
    light = np.linspace(0.5, 1, 160)[:, None] * np.linspace(0.8, 1, 160)
    picture = (np.where(TRUTH, ink, 130) * light).astype(np.uint8)

    assert errors(find_ink(picture), TRUTH) < 0.02


def test_a_dark_border_does_not_invert_the_ink():
    picture = paper()
    picture[:8] = picture[:, :8] = 10

    found = find_ink(picture)

    assert (found.strength[TRUTH] > 100).mean() > 0.95


def test_paper_grain_is_not_ink():
    noise = np.random.default_rng(0).normal(200, 12, (200, 200)).clip(0, 255).astype(np.uint8)

    found = find_ink(noise)

    assert (found.strength > found.threshold).mean() < 1e-3


def test_dense_strokes_covering_the_middle_are_ink():
    picture = write(canvas(28, 28, 255), "8", 4, 25, ink=0, height=22, pen=2)

    found = find_ink(picture)

    assert (found.strength[picture < 60] > 150).mean() > 0.95


def test_pits_are_filled_and_slopes_kept():
    slope = np.tile(np.arange(100, 160, dtype=np.uint8), (60, 1))
    pitted = slope.copy()
    pitted[20:30, 20:30] = 10

    assert np.array_equal(without_pits(slope), slope)
    assert without_pits(pitted)[20:30, 20:30].min() >= 118


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (2, 3000)])
def test_pictures_of_any_shape_are_read(shape):
    assert find_ink(np.full(shape, 90, np.uint8)).strength.shape == shape
