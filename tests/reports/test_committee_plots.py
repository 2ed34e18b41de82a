import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lit_mnist.data.datasets import class_names
from lit_mnist.models.averaging import SubsetErrors
from lit_mnist.reports import committee_plots, figures, gallery

# ---------------------------------------------------------------- errors by size


def by_size(rows):
    return [SubsetErrors(*row) for row in rows]


def test_the_mean_is_inside_the_band_of_fewest_to_most_errors():
    errors = [(35.2, 29, 43), (30.1, 26, 35), (28.0, 25, 31), (26, 26, 26)]

    axes = committee_plots.errors_by_size_figure(by_size(errors), 10_000).axes[0]

    assert axes.lines[0].get_xydata().tolist() == [[1, 35.2], [2, 30.1], [3, 28.0], [4, 26]]
    edge = {tuple(point) for point in axes.collections[0].get_paths()[0].vertices}
    assert edge == {(1, 29), (1, 43), (2, 26), (2, 35), (3, 25), (3, 31), (4, 26)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("members", "errors in 10,000 images")
    listed = [text.get_text() for text in axes.get_legend().get_texts()]
    assert listed == ["fewest to most, over subsets", "mean"]


@pytest.mark.parametrize("members", [1, 2, 5, 10, 20])
def test_axes_have_integer_ticks(members):
    errors = [(26 + 9 / size, 26, 27) for size in range(1, members + 1)]

    axes = committee_plots.errors_by_size_figure(by_size(errors), 10_000).axes[0]

    for ticks, (low, high) in ((axes.get_xticks(), axes.get_xlim()), (axes.get_yticks(), (26, 36))):
        seen = ticks[(low <= ticks) & (ticks <= high)]
        assert len(seen)
        assert (seen % 1 == 0).all()
    left, right = axes.get_xlim()
    assert left < 1 <= members < right


def test_a_committee_without_errors_is_drawn():
    axes = committee_plots.errors_by_size_figure(by_size([(0, 0, 0)] * 3), 10_000).axes[0]

    assert axes.lines[0].get_ydata().tolist() == [0, 0, 0]
    low, high = axes.get_ylim()
    assert [tick for tick in axes.get_yticks() if low <= tick <= high] == [0]


# ---------------------------------------------------------------- votes


def voted(wrong, members=5, number=200):
    """Random images; the committee is wrong on `wrong`, where a third of the votes are right."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (number, 28, 28), np.uint8)
    labels = generator.integers(0, 10, number)
    predictions = labels.copy()
    predictions[wrong] = (labels[wrong] + 3) % 10
    right = generator.random((number, members)) < 1 / 3
    votes = np.where(right, labels[:, None], predictions[:, None])
    return images, labels, predictions, votes


def cast(figure, errors):
    """Splits a figure's texts into the captions and the votes of each error, in their order."""
    texts = figure.axes[0].texts
    return texts[: 3 * errors], np.array(texts[3 * errors :]).reshape(errors, -1)


def test_members_votes_are_in_order_below_the_image_blue_if_right():
    images, labels, predictions, votes = voted([3, 17, 130])
    indices = np.arange(200)[::-1] + 1000

    figure = committee_plots.votes_gallery(images, labels, predictions, votes, indices)

    captions, drawn = cast(figure, 3)
    for place, which in enumerate([130, 17, 3]):
        true, predicted, index = (text.get_text() for text in captions[3 * place : 3 * place + 3])
        assert (true, predicted) == (str(labels[which]), str(predictions[which]))
        assert index == str(indices[which])
        assert [text.get_text() for text in drawn[place]] == [str(vote) for vote in votes[which]]
        colours = [to_rgb(text.get_color()) for text in drawn[place]]
        expected = ["blue" if vote == labels[which] else "grey" for vote in votes[which]]
        assert colours == [to_rgb(colour) for colour in expected]
    assert figure.axes[0].get_title() == "3 misclassified of 200"


def test_captions_equal_the_gallery_s():
    images, labels, predictions, votes = voted(np.arange(0, 130))
    indices = np.arange(200)

    figure = committee_plots.votes_gallery(images, labels, predictions, votes, indices)

    plain = gallery.draw(images, labels, predictions, indices)
    captions, _ = cast(figure, 100)
    assert [(text.get_text(), text.get_color(), text.get_fontsize()) for text in captions] == [
        (text.get_text(), text.get_color(), text.get_fontsize()) for text in plain.axes[0].texts
    ]
    assert figure.axes[0].get_title() == "130 misclassified of 200 (first 100 shown)"


def test_images_are_drawn_pixel_for_pixel_between_caption_and_votes():
    wrong = np.arange(1, 40, 3)  # 13 images: one full row, and three more
    images, labels, predictions, votes = voted(wrong)

    figure = committee_plots.votes_gallery(images, labels, predictions, votes, np.arange(200))

    # From the bottom up: two rows of cells, 45 pixels high each, 3 x 3 dots to a pixel.
    drawn = figures.to_array(figure)[-2 * 45 * 3 :].astype(int)
    _, below = cast(figure, 13)
    for which, texts in zip(wrong, below, strict=True):
        left, base = (3 * int(place) for place in texts[0].get_position())
        above = drawn[base - 96 : base - 12, left : left + 84]
        expected = np.kron(images[which], np.ones((3, 3)))[..., None]
        assert abs(above - expected).max() <= 1  # the colour map's rounding


@pytest.mark.parametrize(
    ("errors", "members", "dataset"),
    [
        (1, 1, "MNIST"),
        (26, 5, "MNIST"),
        (100, 10, "MNIST"),
        (12, 23, "MNIST"),
        (12, 5, "FashionMNIST"),
        (12, 13, "FashionMNIST"),
        (12, 10, "KMNIST"),
    ],
)
def test_texts_do_not_overlap_or_leave_the_figure(errors, members, dataset):
    votes = voted(np.arange(errors), members)

    figure = committee_plots.votes_gallery(
        *votes, np.arange(200) + 9_000, class_names=class_names(dataset)
    )

    figure.draw_without_rendering()
    captions, drawn = cast(figure, errors)
    boxes = [text.get_window_extent() for text in [*captions, *drawn.flat]]
    assert drawn.shape == (errors, members)
    low = np.array([(box.x0, box.y0) for box in boxes])
    high = np.array([(box.x1, box.y1) for box in boxes])
    apart = (high[:, None] <= low).any(2) | (high <= low[:, None]).any(2)
    assert (apart | np.eye(len(boxes), dtype=bool)).all()
    assert (low >= 0).all()
    assert (high <= figure.bbox.max).all()


@pytest.mark.parametrize("dataset", ["FashionMNIST", "KMNIST"])
def test_two_letters_distinguish_the_classes(dataset):
    names = class_names(dataset)
    images, labels, predictions, _ = voted([0], number=10)

    figure = committee_plots.votes_gallery(
        images, labels, predictions, np.tile(range(10), (10, 1)), np.arange(10), class_names=names
    )

    _, drawn = cast(figure, 1)
    marks = [text.get_text() for text in drawn[0]]
    assert len(set(marks)) == 10
    assert all(name.startswith(mark) for name, mark in zip(names, marks, strict=True))


def test_without_errors_only_a_note_is_drawn():
    figure = committee_plots.votes_gallery(*voted([]), np.arange(200))

    assert figure.axes[0].get_title() == "0 misclassified of 200"
    assert not figure.axes[0].texts
    assert (figures.to_array(figure)[60:] == 255).all()


def test_a_full_sheet_is_a_small_file(tmp_path):
    _, labels, predictions, votes = voted(np.arange(100), 10)
    stroke = np.zeros((200, 28, 28), np.uint8)
    stroke[:, 4:24, 12:16], stroke[:, 4:8, 6:22] = 255, 128

    figure = committee_plots.votes_gallery(stroke, labels, predictions, votes, np.arange(200))
    figures.save(figure, tmp_path / "votes.png")

    assert (tmp_path / "votes.png").stat().st_size < 250_000
