import cv2
import numpy as np
import pytest

from lit_mnist.pictures.ground import Ink
from lit_mnist.pictures.parts import find_parts
from tests.pictures.written import canvas, write

NINE = write(canvas(300, 300), "9", 120, 180)


def found(picture):
    return find_parts(Ink(picture.astype(np.float32), 20.0))


def drawn(parts):
    """Returns the ink of all parts in their picture."""
    mask = np.zeros((300, 300), bool)
    for part in parts:
        part.box.cut(mask)[part.mask] = True
    return mask


def framed(picture, first, last):
    return np.maximum(picture, cv2.rectangle(canvas(300, 300), first, last, 150, 4))


@pytest.mark.parametrize(
    "corners",
    [((90, 60), (220, 210)), ((90, 60), (220, 182)), ((90, 84), (220, 210))],
    ids=["apart", "its foot on the frame", "its head on the frame"],
)
def test_a_digit_is_separated_from_the_box_of_a_form(corners):
    parts = drawn(found(framed(NINE, *corners)))

    assert parts[NINE > 127].mean() > 0.85
    assert parts[NINE < 20].sum() < 0.05 * (NINE > 127).sum()


def test_a_box_touched_by_a_digit_is_found_despite_a_stray_stroke():
    picture = framed(NINE, (90, 60), (220, 182))
    picture[90:140, 205:211] = 255

    parts = drawn(found(picture))

    assert parts[NINE > 127].mean() > 0.85


@pytest.mark.parametrize("pen", [4, 14])
def test_an_angular_zero_is_not_taken_for_a_frame(pen):
    zero = cv2.rectangle(canvas(300, 300), (100, 80), (180, 200), 255, pen)

    assert np.array_equal(drawn(found(zero)), zero > 0)
