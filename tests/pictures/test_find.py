import cv2
import numpy as np
import pytest

from lit_mnist.pictures.find import find_digits
from lit_mnist.pictures.ground import find_ink
from tests.pictures.written import canvas, paper, write


def boxes(picture, layout="auto"):
    return [found.box for found in find_digits(find_ink(picture), layout)]


def sheet():
    """Two lines of three digits, the second rising."""
    picture = canvas(420, 500, 230)
    for place, digit in enumerate("123"):
        write(picture, digit, 40 + 150 * place, 150, ink=40)
        write(picture, digit, 40 + 150 * place, 360 - 15 * place, ink=40)
    return picture


def test_digits_are_found_in_reading_order():
    found = boxes(sheet())

    assert len(found) == 6
    assert [box.x // 150 for box in found] == [0, 1, 2, 0, 1, 2]
    assert all(box.bottom < 170 for box in found[:3])
    assert all(95 <= box.height <= 125 for box in found)


def test_a_box_surrounds_the_ink():
    (box,) = boxes(paper())

    x, y, width, height = cv2.boundingRect((paper() < 135).astype(np.uint8))
    assert np.abs(np.array(box) - (x, y, width, height)).max() <= 2


def test_a_detached_bar_is_joined_to_its_five():
    picture = paper("5")
    rows = slice(44, 52)  # parts the bar from the rest
    picture[rows] = 230

    assert len(boxes(picture)) == 1
    assert boxes(picture)[0].height >= 95


def test_touching_digits_are_separated():
    picture = canvas(200, 420, 230)
    for place, digit in enumerate("707"):
        write(picture, digit, 40 + 110 * place, 150, ink=40)
    cv2.line(picture, (100, 100), (155, 100), 40, 6)  # hardly any ink joins the first two
    picture[96:104, 230:262] = 230

    assert len(boxes(picture)) == 3


def test_layout_single_joins_all_parts_into_one_digit():
    picture = canvas(200, 200, 230)
    write(picture, "5", 60, 150, ink=40)
    picture[88:94] = 230

    assert len(boxes(picture, "single")) == 1


@pytest.mark.parametrize("side", [0, 1, 2, 3])
def test_sheet_edges_and_specks_are_not_digits(side):
    picture = paper()
    picture[-6:] = 30
    picture[20:24, 20:24] = 30

    assert len(boxes(np.ascontiguousarray(np.rot90(picture, side)))) == 1


def test_the_box_of_a_form_is_not_a_digit():
    picture = paper(height=200, width=200)
    cv2.rectangle(picture, (15, 15), (185, 185), 20, 4)

    (box,) = boxes(picture)

    assert box.size < 130


def test_writing_that_shows_through_is_ignored():
    picture = canvas(200, 400, 230)
    write(picture, "3", 60, 150, ink=40)
    write(picture, "8", 250, 150, ink=190)

    assert [box.x < 200 for box in boxes(picture)] == [True]


@pytest.mark.parametrize("picture", [canvas(200, 300, 230), canvas(1, 1), canvas(28, 28, 255)])
def test_blank_paper_holds_no_digit(picture):
    assert boxes(picture) == []


def test_a_solid_shape_is_not_a_digit():
    picture = canvas(300, 300, 240)
    cv2.ellipse(picture, (150, 170), (90, 60), 20, 0, 360, 60, -1)
    cv2.line(picture, (150, 170), (280, 60), 60, 5)

    assert boxes(picture) == []
