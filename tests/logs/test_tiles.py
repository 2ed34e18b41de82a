import numpy as np
import pytest

from lit_mnist.logs import tiles

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("captions", [(), [[("7", tiles.INK)]] * 10])
def test_a_grid_holds_each_image_enlarged_in_reading_order(captions):
    images = RANDOM.integers(0, 256, (10, 28, 28), dtype=np.uint8)
    sheet = tiles.grid(images, captions)
    line = 13 if captions else 0
    assert sheet.shape == (2 * (56 + 6 + line) + 6, 5 * (56 + 6) + 6, 3)
    for place, image in enumerate(images):
        top, left = 6 + place // 5 * (62 + line), 6 + place % 5 * 62
        part = sheet[top : top + 56, left : left + 56]
        assert (part == np.kron(image, np.ones((2, 2), np.uint8))[..., None]).all()
        below = sheet[top + 57 : top + 62 + line, left : left + 56]
        assert (below != tiles.GROUND).any() == bool(captions)


def test_a_caption_keeps_its_colours_below_its_image():
    words = [("Ankle boot of a long name", tiles.TRUE), ("9: 100%", tiles.PREDICTED)]
    sheet = tiles.grid(np.zeros((2, 28, 28), np.uint8), [words, [("", tiles.TRUE)] * 2])
    first, second = sheet[63:76], sheet[76:89]  # the two lines below the images
    for line, strong, weak in ((first, 2, 0), (second, 0, 2)):  # bluish, and yellowish
        ink = line[(line != tiles.GROUND).any(axis=2)].astype(int)
        assert len(ink) > 20
        assert (ink[:, strong] > ink[:, weak]).all()
        assert (line[:, 68 + 6 :] == tiles.GROUND).all()


def test_a_confusion_matrix_is_coloured_by_its_errors():
    matrix = np.diag(RANDOM.integers(500, 900, 10))
    matrix[3, 5], matrix[4, 9], matrix[9, 4] = 4, 16, 8
    sheet = tiles.confusion(matrix, [str(digit) for digit in range(10)])
    assert sheet.shape == (11 * 18, 11 * 28, 3)
    corners = sheet[::18, ::28]  # of each cell, where no number stands
    for (true, predicted), count in np.ndenumerate(matrix):
        red = 255 - np.array([255 - 213, 255 - 94, 255 - 0]) * count / 16
        expected = tiles.FAINT if true == predicted else red.round()
        assert (corners[true + 1, predicted + 1] == expected).all()
        cell = sheet[(true + 1) * 18 :, (predicted + 1) * 28 :][:18, :28]
        assert (cell != cell[0, 0]).any() == bool(count)  # its number
    assert (corners[0] == 255).all()
    assert (corners[:, 0] == 255).all()


def test_empty_cells_are_white_except_on_the_diagonal():
    sheet = tiles.confusion(np.zeros((10, 10), int), ["T-shirt/top"] * 10)
    assert {*map(tuple, sheet[19::18, 29::28].reshape(-1, 3).tolist())} == {
        (255, 255, 255),
        tiles.FAINT,
    }
