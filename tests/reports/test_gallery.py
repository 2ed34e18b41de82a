from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lit_mnist.reports import figures, gallery
from tests.reports.test_plots import FASHION


def classified(wrong, number=40):
    """Random images, classified correctly except at the positions `wrong`."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (number, 28, 28), np.uint8)
    labels = generator.integers(0, 10, number)
    predictions = labels.copy()
    predictions[wrong] = (labels[wrong] + 3) % 10
    return images, labels, predictions


def texts(figure, colour):
    return [text for text in figure.axes[0].texts if to_rgb(text.get_color()) == to_rgb(colour)]


def words(figure, colour):
    return [text.get_text() for text in texts(figure, colour)]


def test_errors_are_in_index_order_true_blue_predicted_red():
    images, labels, predictions = classified([3, 17, 30])
    indices = np.arange(40)[::-1] + 1000

    figure = gallery.draw(images, labels, predictions, indices)

    assert words(figure, "grey") == ["1009", "1022", "1036"]
    assert words(figure, "blue") == [str(labels[i]) for i in (30, 17, 3)]
    assert words(figure, "red") == [str(predictions[i]) for i in (30, 17, 3)]
    assert len(figure.axes[0].texts) == 9
    assert figure.axes[0].get_title() == "3 misclassified of 40"


def test_class_names_with_dollars_are_no_formulas():
    images, labels, predictions = classified([3])
    names = [f"${label}$" for label in range(10)]
    figure = gallery.draw(images, labels, predictions, np.arange(40), class_names=names)
    assert words(figure, "blue") == [rf"\${labels[3]}\$"]  # which matplotlib shows without `\`
    assert words(figure, "red") == [rf"\${predictions[3]}\$"]


def test_images_are_drawn_pixel_for_pixel_below_their_labels():
    wrong = np.arange(1, 40, 3)  # 13 images: one full row, and three more
    images, labels, predictions = classified(wrong)
    figure = gallery.draw(images, labels, predictions, np.arange(40))

    # From the bottom up: two rows of cells, 40 pixels high each, 3 x 3 dots to a pixel.
    drawn = figures.to_array(figure)[-2 * 40 * 3 :].astype(int)
    for which, label in zip(wrong, texts(figure, "blue"), strict=True):
        left, base = (3 * int(place) for place in label.get_position())
        below = drawn[base + 6 : base + 90, left : left + 84]
        expected = np.kron(images[which], np.ones((3, 3)))[..., None]
        assert abs(below - expected).max() <= 1  # the colour map's rounding


@pytest.mark.parametrize(("errors", "columns", "rows"), [(1, 1, 1), (7, 7, 1), (26, 10, 3)])
def test_the_grid_fits_the_number_of_errors(errors, columns, rows):
    figure = gallery.draw(*classified(np.arange(errors)), np.arange(40))

    grid = figure.axes[0].images[0].get_array()
    assert grid.shape == (rows * 40, columns * 32)
    places = {text.get_position() for text in texts(figure, "blue")}
    assert len({x for x, _ in places}) == columns
    assert len({y for _, y in places}) == rows


def test_a_long_gallery_is_truncated_with_a_note():
    figure = gallery.draw(*classified(np.arange(1200), 1500), np.arange(1500))

    assert figure.axes[0].get_title() == "1,200 misclassified of 1,500 (first 100 shown)"
    assert words(figure, "grey") == [str(index) for index in range(100)]
    assert len(figure.axes) == 1  # one for each image would take seconds

    short = gallery.draw(*classified(np.arange(8)), np.arange(40), limit=2)
    assert short.axes[0].get_title() == "8 misclassified of 40 (first 2 shown)"
    assert words(short, "grey") == ["0", "1"]


def test_without_errors_only_a_note_is_drawn():
    figure = gallery.draw(*classified([]), np.arange(40))

    assert figure.axes[0].get_title() == "0 misclassified of 40"
    assert not figure.axes[0].texts
    assert (figures.to_array(figure)[60:] == 255).all()


@pytest.mark.parametrize("errors", [1, 20])
def test_long_names_and_probabilities_do_not_overlap(errors):
    images, _, _ = classified([])
    labels, predictions = np.full(40, 0), np.full(40, 0)
    labels[:errors], predictions[1:errors:2] = 9, 0
    probabilities = np.full((40, 10), 0.004)
    probabilities[:, 0] = 0.996

    figure = gallery.draw(
        images,
        labels,
        predictions,
        np.arange(40) + 50_000,
        class_names=FASHION,
        probabilities=probabilities,
    )

    assert words(figure, "blue") == ["Ankle boot"] * errors
    assert words(figure, "red") == ["T-shirt/top 100%"] * errors
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in [*figure.axes[0].texts, figure.axes[0].title]]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)


def test_a_probability_is_that_of_the_prediction():
    images, labels, predictions = classified([5])
    probabilities = np.tile(np.linspace(0.01, 0.19, 10), (40, 1))
    probabilities[5, predictions[5]] = 0.57

    figure = gallery.draw(images, labels, predictions, np.arange(40), probabilities=probabilities)

    assert words(figure, "red") == [f"{predictions[5]} 57%"]


def test_a_full_gallery_is_a_small_file(tmp_path):
    stroke = np.zeros((28, 28), np.uint8)
    stroke[4:24, 12:16], stroke[4:8, 6:22] = 255, 128
    images = np.stack([np.roll(stroke, number % 4, 1) for number in range(100)])

    figures.save(
        gallery.draw(images, np.full(100, 7), np.full(100, 1), np.arange(100)), tmp_path / "g.png"
    )

    assert (tmp_path / "g.png").stat().st_size < 150_000
