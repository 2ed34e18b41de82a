import cv2
import numpy as np
import pytest

from lit_mnist.pictures.lines import without_lines
from tests.pictures.written import canvas, write


def ruled(tilt=0, squared=False):
    picture = canvas(200, 300)
    for at in (30, 80, 130, 180):
        cv2.line(picture, (0, at), (299, at + tilt), 120, 3)
    for at in (50, 150, 250) if squared else ():
        cv2.line(picture, (at, 0), (at - tilt, 199), 120, 3)
    return picture


def taken_out(picture):
    return without_lines((picture > 20).astype(np.uint8), picture.astype(np.float32))


@pytest.mark.parametrize("tilt", [0, 4, -6])
@pytest.mark.parametrize("squared", [False, True])
def test_ruled_lines_are_removed(tilt, squared):
    assert taken_out(ruled(tilt, squared)).sum() == 0


@pytest.mark.parametrize("squared", [False, True])
def test_a_digit_across_ruled_lines_stays_intact(squared):
    digit = write(canvas(200, 300), "5", 100, 160, pen=14)

    left = taken_out(np.maximum(digit, ruled(squared=squared)))

    assert left[digit > 127].mean() > 0.9
    assert left[digit < 20].mean() < 0.03
    parts = cv2.connectedComponentsWithStats(left)[2][1:, cv2.CC_STAT_AREA]
    assert (parts > 30).sum() == 1  # the digit; the rest would be specks


def test_a_picture_without_lines_is_unchanged():
    digit = write(canvas(200, 300), "74", 60, 160)

    assert np.array_equal(taken_out(digit), digit > 20)


def test_strokes_in_a_small_picture_are_not_taken_for_lines():
    stroke = canvas(28, 28)
    stroke[:, 14] = 255

    assert np.array_equal(taken_out(stroke), stroke > 20)


def test_a_line_touching_the_bar_of_a_digit_is_removed_entirely():
    picture = canvas(200, 300)
    cv2.line(picture, (0, 100), (299, 100), 120, 3)
    bar = canvas(200, 300)
    bar[76:100, 90:200] = 110  # rests on the line, no darker than it

    left = taken_out(np.maximum(picture, bar))

    assert left[76:97, 90:200].all()
    assert left[102:].sum() == 0


def test_a_line_along_the_border_is_removed():
    picture = canvas(200, 300)
    picture[:4] = 120

    assert taken_out(picture).sum() == 0
