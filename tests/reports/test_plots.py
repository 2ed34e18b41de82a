import functools
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_rgb

from lit_mnist.reports import figures, plots

FASHION = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


def history(train, val):
    columns = zip(train, val, strict=True)
    return [{"epoch": e, "train_acc": t, "val_acc": v} for e, (t, v) in enumerate(columns)]


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


# ---------------------------------------------------------------- curves


@pytest.mark.parametrize("name", ["_own", "a$b_$c", r"a\$", "$x$"])
def test_a_name_is_shown_as_it_is_and_never_a_formula(name):
    rows = history([0.5, 0.6], [0.6, 0.7])
    figure = plots.curves({name: rows, "other": rows}, {name: 0.5})
    figures.to_array(figure)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert not any(map(is_math_text, texts))
    shown = [text.replace(r"\$", "$").strip() for text in texts]
    assert shown[:3] == [f"{name} training", f"{name} validation", f"{name} test 0.5000"]


def test_training_is_dashed_validation_solid_and_test_dotted():
    figure = plots.curves(
        {"deep": history([0.9, 0.95], [0.96, 0.97]), "dense": history([0.8, 0.85], [0.9, 0.91])},
        {"deep": 0.99584, "dense": None},
    )

    drawn = lines(figure)
    assert {label: line.get_linestyle() for label, line in drawn.items()} == {
        "deep training": "--",
        "deep validation": "-",
        "deep test 0.9958": ":",
        "dense training": "--",
        "dense validation": "-",
    }
    assert drawn["deep training"].get_xydata().tolist() == [[0, 0.9], [1, 0.95]]
    assert drawn["dense validation"].get_xydata().tolist() == [[0, 0.9], [1, 0.91]]
    assert list(drawn["deep test 0.9958"].get_ydata()) == [0.99584, 0.99584]
    colours = {name.split()[0]: set() for name in drawn}
    for label, line in drawn.items():
        colours[label.split()[0]].add(line.get_color())
    assert [len(colour) for colour in colours.values()] == [1, 1]
    assert colours["deep"] != colours["dense"]


def test_names_axes_and_lists_every_line():
    axes = plots.curves({"deep": history([0.9], [0.95])}, {"deep": 0.99}).axes[0]

    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "accuracy")
    assert axes.get_title()
    listed = [text.get_text() for text in axes.get_legend().get_texts()]
    lines = ["deep training", "deep validation", "deep test 0.9900"]
    assert listed == [*lines, "best epoch 0: 0.9500"]
    assert all(line.get_visible() for line in axes.get_xgridlines() + axes.get_ygridlines())


def test_missing_and_nan_values_are_left_out():
    rows = [
        {"epoch": 0, "train_acc": 0.9},
        {"epoch": 1, "train_acc": 0.95, "val_acc": float("nan")},
        {"epoch": 2, "train_acc": 0.97, "val_acc": 0.98},
    ]

    drawn = lines(plots.curves({"a": rows, "b": rows[:2]}, {}))

    assert list(drawn) == ["a training", "a validation", "b training"]
    assert drawn["a validation"].get_xydata().tolist() == [[2, 0.98]]


def test_poor_first_epochs_do_not_compress_the_scale():
    late = np.linspace(0.98, 0.99, 38)

    figure = plots.curves({"deep": history([0.1, 0.7, *late], [0.5, 0.9, *late])}, {"deep": 0.985})

    low, high = figure.axes[0].get_ylim()
    assert 0.97 < low < 0.985
    assert 0.99 < high < 1


@pytest.mark.parametrize("test_acc", [0.5, 0.9958, 1.0])
def test_the_test_line_is_always_visible(test_acc):
    late = np.linspace(0.98, 0.99, 40)

    low, high = plots.curves({"a": history(late, late)}, {"a": test_acc}).axes[0].get_ylim()

    assert low < test_acc < high
    assert low < 0.981 < 0.99 < high


def test_one_epoch_shows_as_two_different_marks_at_epoch_zero():
    figure = plots.curves({"a": history([0.8], [0.9])}, {})

    axes, drawn = figure.axes[0], lines(figure)
    low, high = axes.get_ylim()
    assert low < 0.8 < 0.9 < high
    marks = {drawn["a training"].get_marker(), drawn["a validation"].get_marker()}
    assert len(marks) == 2
    assert not marks & {"", "None", None}
    left, right = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if left <= tick <= right] == [0]


def test_six_systems_have_six_colours_even_without_history():
    rows = history(np.linspace(0.9, 0.99, 40), np.linspace(0.95, 0.99, 40))
    names = [f"system {number}" for number in range(5)]

    figure = plots.curves(dict.fromkeys(names, rows), {"committee": 0.9974})

    drawn = lines(figure)
    assert len(drawn) == 11
    assert len({line.get_color() for line in drawn.values()}) == 6
    assert drawn["committee test 0.9974"].get_linestyle() == ":"
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x0 > figure.axes[0].get_window_extent().x1
    assert legend.x1 <= figure.bbox.x1
    assert legend.y0 >= 0


def test_the_legend_of_fifty_members_shows_styles_and_fits(recwarn):
    members = {f"deep/seed_{k}": history([0.9, 0.95], [0.96, 0.97]) for k in range(50)}
    figure = plots.curves(members, {"committee": 0.99})
    legend = figure.axes[-1].get_legend()
    listed = [text.get_text() for text in legend.get_texts()]
    assert listed == ["training of 50", "validation of 50", "committee test 0.9900"]
    assert legend.get_window_extent().y0 >= 0
    assert not recwarn.list  # matplotlib's, if what is drawn has no room


def whole(rates, val_acc):
    columns = enumerate(zip(rates, val_acc, strict=True))
    row = {"train_acc": 0.9, "train_loss": 0.5}
    return [row | {"epoch": e, "lr": r, "val_acc": v, "val_loss": 1 - v} for e, (r, v) in columns]


PLATEAU = whole([0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.01], [0.91, 0.92, 0.93, 0.96, 0.94, 0.96, 0.95])


def test_losses_are_drawn_with_best_epoch_and_rate_drops():
    accuracy, loss = plots.curves({"a": PLATEAU}, {"a": 0.95}).axes

    assert (loss.get_title(), loss.get_ylabel()) == ("Loss per epoch", "loss in nats")
    drawn = {line.get_label(): line for line in loss.lines}
    assert list(drawn["a validation"].get_ydata()) == [row["val_loss"] for row in PLATEAU]
    assert list(drawn["a training"].get_ydata()) == [0.5] * 7
    for axes, best in ((accuracy, 0.96), (loss, 1 - 0.96)):
        (ring,) = axes.collections
        assert ring.get_offsets().tolist() == [[3, best]]
        upright = [line.get_xdata()[0] for line in axes.lines if line.get_color() == "grey"]
        assert upright == [3, 6]
    listed = [text.get_text() for text in loss.get_legend().get_texts()]
    assert listed[2:] == ["a test 0.9500", "learning rate falls", "best epoch 3: 0.9600"]
    for axes in plots.curves({"a": PLATEAU}, {}, best_epoch=2).axes:
        assert axes.collections[0].get_offsets()[0][0] == 2


def test_high_first_losses_do_not_compress_the_scale():
    late = np.linspace(0.98, 0.99, 38)
    low, high = plots.curves({"a": whole([0.1] * 40, [0.1, 0.5, *late])}, {}).axes[1].get_ylim()

    assert low < 0.01
    assert 0.5 < high < 0.53  # the line of training is at 0.5


def test_several_systems_have_no_marks():
    for axes in plots.curves({"a": PLATEAU, "b": PLATEAU}, {"committee": 0.97}).axes:
        assert not axes.collections
        assert "grey" not in {line.get_color() for line in axes.lines}


def test_losses_may_be_left_out():
    assert len(plots.curves({"a": PLATEAU}, {}, losses=False).axes) == 1


def test_a_caption_is_below_the_axes():
    figure = plots.curves({"a": PLATEAU}, {}, caption="Why.")

    assert figure.get_supxlabel() == "Why."
    below = min(axes.xaxis.label.get_window_extent().y0 for axes in figure.axes)
    (text,) = figure.texts
    assert 0 <= text.get_window_extent().y0 < text.get_window_extent().y1 <= below


@pytest.mark.parametrize(
    ("rates", "falls"),
    [
        ([0.1, 0.1, 0.05, 0.05, 0.1, 0.1, 0.01], [2, 6]),
        ([0.1, 0.1, 0.01], [2]),
        ([0.1, float("nan"), 0.1, 0.01, 0.01], [3]),
        ([0.01, 0.1, 0.09, 0.05, 0.01, 0.001], []),  # one cycle
        ([0.1, 0.1, 0.09, 0.07, 0.04, 0.01, 0.0], []),  # a cosine after an epoch of rest
        ([0.1], []),
        ([], []),
    ],
)
def test_rate_drops_are_found_unless_the_rate_changes_always(rates, falls):
    assert plots.rate_falls([{"epoch": e, "lr": rate} for e, rate in enumerate(rates)]) == falls


def test_an_empty_history_gives_an_empty_plot():
    assert not lines(plots.curves({}, {"deep": None}))


# ---------------------------------------------------------------- confusion


@functools.lru_cache(2)
def pixels_of(figure):
    return figures.to_array(figure)


def cell(figure, true, predicted):
    """The colour painted in a corner of a cell, clear of the count."""
    pixels = pixels_of(figure)
    x, y = figure.axes[0].transData.transform((predicted - 0.4, true - 0.4))
    return tuple(pixels[pixels.shape[0] - 1 - int(y), int(x)] / 255)


def confused(diagonal):
    matrix = np.diag(np.full(10, diagonal))
    matrix[4, 9], matrix[7, 2], matrix[0, 6] = 8, 4, 1
    return matrix


def test_rows_are_true_and_columns_predicted_classes():
    figure = plots.confusion(confused(1000))

    axes = figure.axes[0]
    counts = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    right = {(digit, digit): "1000" for digit in range(10)}
    assert counts == right | {(4, 9): "8", (7, 2): "4", (0, 6): "1"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.get_title() == "13 errors of 10,013, accuracy 0.9987"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # class 0 at the top


def test_errors_are_coloured_independently_of_the_diagonal():
    small, large = plots.confusion(confused(1)), plots.confusion(confused(1000))

    assert cell(large, 3, 3) == pytest.approx(to_rgb("lightgrey"), abs=0.01)
    shades = [sum(cell(large, *place)) for place in ((1, 5), (0, 6), (7, 2), (4, 9))]
    assert shades == sorted(shades, reverse=True)
    assert len(set(shades)) == 4
    assert cell(large, 1, 5) == pytest.approx(colormaps["Oranges"](0.0)[:3], abs=0.01)
    assert cell(large, 4, 9) == pytest.approx(colormaps["Oranges"](1.0)[:3], abs=0.01)
    assert all(cell(small, *at) == cell(large, *at) for at in ((3, 3), (0, 6), (7, 2), (4, 9)))


def test_counts_contrast_with_their_cells():
    figure = plots.confusion(confused(1000))

    for text in figure.axes[0].texts:
        predicted, true = text.get_position()
        ground = cell(figure, true, predicted)
        assert abs(sum(to_rgb(text.get_color())) - sum(ground)) > 1


@pytest.mark.parametrize(
    ("matrix", "title"),
    [
        (np.diag(np.full(10, 5)), "0 errors of 50, accuracy 1.0000"),
        (np.zeros((10, 10), int), "0 errors of 0, accuracy 0.0000"),
    ],
)
def test_a_matrix_without_errors_is_drawn(matrix, title):
    figure = plots.confusion(matrix)

    assert figure.axes[0].get_title() == title
    assert cell(figure, 2, 2) == pytest.approx(to_rgb("lightgrey"), abs=0.01)
    assert cell(figure, 2, 3) == pytest.approx(colormaps["Oranges"](0.0)[:3], abs=0.01)


def test_class_names_do_not_overlap_on_either_axis():
    axes = plots.confusion(confused(7), FASHION).axes[0]

    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == FASHION
        boxes = [label.get_window_extent() for label in labels]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_confusion_matrix_counts_pairs(dtype):
    generator = np.random.default_rng(0)
    labels, predictions = generator.integers(0, 30, (2, 500)).astype(dtype)
    expected = [[((labels == t) & (predictions == p)).sum() for p in range(30)] for t in range(30)]

    assert plots.confusion_matrix(labels, predictions, classes=30).tolist() == expected
    assert plots.confusion_matrix(labels[:0], predictions[:0]).tolist() == [[0] * 10] * 10


def test_importing_needs_neither_torch_nor_pyplot():
    code = (
        "import sys, lit_mnist.reports.plots, lit_mnist.reports.committee_plots;"
        " print({'torch', 'matplotlib.pyplot'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
