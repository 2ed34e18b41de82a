import cv2
import numpy as np
import pytest

from lit_mnist.pictures.form import (
    centre_of_mass,
    has_mnists_form,
    is_written,
    mnist_form,
    stroke_width,
)
from tests.pictures.written import canvas, write


def ink(height=300, width=300, pen=30, text="5"):
    picture = write(canvas(height, width), text, 60, 250, height=200, pen=pen)
    return picture.astype(np.float32) / 255


def stroke(pen):
    """A seven of straight strokes, as OpenCV's fonts differ between versions."""
    corners = np.array([(60, 60), (240, 60), (120, 250)])
    return cv2.polylines(canvas(320, 320), [corners], False, 255, pen) / np.float32(255)


def box(image):
    return cv2.boundingRect((image > 0).astype(np.uint8))


@pytest.mark.parametrize("text", list("0123456789"))
def test_a_digit_fills_a_box_of_20_and_is_centred_by_mass(text):
    image = mnist_form(ink(text=text))

    assert (image.shape, image.dtype) == ((28, 28), np.uint8)
    assert max(box(image)[2:]) in (19, 20)
    assert np.abs(centre_of_mass(image) - 14).max() <= 0.51
    assert has_mnists_form(image)


def test_aspect_ratio_is_kept():
    bar = np.zeros((400, 400), np.float32)
    bar[100:300, 180:210] = 1

    assert box(mnist_form(bar))[2:] == (3, 20)


def test_the_centre_of_mass_equals_the_mean_pixel_position():
    image = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    rows, columns = np.indices(image.shape)

    expected = [(image * axis).sum() / image.sum() for axis in (columns.astype(float), rows)]
    assert centre_of_mass(image) == pytest.approx(expected)


@pytest.mark.parametrize("pen", [4, 60])
def test_hairlines_are_widened_and_broad_strokes_narrowed(pen):
    width = stroke_width(stroke(pen)) * 20 / 200
    formed = stroke_width(cv2.resize(mnist_form(stroke(pen)) / np.float32(255), (224, 224))) / 8

    assert not 1.8 <= width <= 4.2
    assert 1.7 <= formed <= 4.4


def test_the_width_of_a_straight_stroke_is_measured():
    bar = np.zeros((200, 100), np.float32)
    bar[20:180, 40:61] = 1

    assert stroke_width(bar) == pytest.approx(21, abs=1)


def test_no_ink_gives_a_black_image():
    assert not mnist_form(np.zeros((50, 50), np.float32)).any()
    assert stroke_width(np.zeros((5, 5), np.float32)) == 0


@pytest.mark.parametrize("shift", [(5, 0), (0, 5), (-3, -3)])
def test_a_shifted_digit_is_not_in_mnist_s_form(shift):
    image = mnist_form(ink(text="1"))

    assert has_mnists_form(image)
    assert not has_mnists_form(np.roll(image, shift, axis=(0, 1)))
    assert not has_mnists_form(image[:27])
    assert not has_mnists_form(np.zeros((28, 28), np.uint8))


def test_pen_strokes_are_distinguished_from_a_patch():
    patch = stroke(6)
    cv2.circle(patch, (200, 80), 60, 1.0, -1)

    assert is_written(stroke(20))
    assert not is_written(patch)
