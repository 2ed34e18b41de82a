import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lit_mnist.reports import committee_plots, figures, gallery, page_charts, plots, sweep_page
from lit_mnist.sweep.record import Trial
from lit_mnist.workarounds.noise import quiet
from tests.reports.test_calibration import random_answers
from tests.reports.test_committee_plots import by_size, voted
from tests.reports.test_gallery import classified
from tests.reports.test_plots import confused, history


def three_figures():
    yield plots.curves({"a": history([0.9, 0.95], [0.96, 0.97])}, {"a": 0.98})
    yield gallery.draw(*classified(np.arange(12)), np.arange(40))
    yield plots.confusion(confused(1000))


def test_equal_figures_give_equal_files_without_timestamps(tmp_path):
    for figure, again in zip(three_figures(), three_figures(), strict=True):
        figures.to_array(again)  # drawing before must not change what is saved
        figures.save(figure, tmp_path / "one.png")
        figures.save(again, tmp_path / "two.png")

        assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
        with Image.open(tmp_path / "one.png") as image:
            assert not set(image.info) - {"dpi"}


def test_the_array_equals_the_saved_pixels(tmp_path):
    for figure in three_figures():
        figures.save(figure, tmp_path / "figure.png")

        pixels = figures.to_array(figure)
        assert pixels.dtype == np.uint8
        with Image.open(tmp_path / "figure.png") as image:
            assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


def test_saving_replaces_the_file_without_leftovers(tmp_path):
    target = tmp_path / "curves.png"
    target.write_bytes(b"old")

    figures.save(plots.curves({}, {"a": 0.9}), target)

    assert target.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_save_keeps_the_old_file_without_leftovers(tmp_path, monkeypatch):
    def half(figure, path, **_):
        Path(path).write_bytes(b"half a picture")
        raise OSError("no space left on device")

    target = tmp_path / "curves.png"
    target.write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", half)

    with pytest.raises(OSError, match="no space"):
        figures.save(Figure(), target)

    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def every_picture(folder):
    """Draws and saves each kind of picture that this program makes: its bytes, or its text."""
    drawn = [*three_figures(), committee_plots.errors_by_size_figure(by_size([(3, 2, 4)]), 100)]
    drawn.append(committee_plots.votes_gallery(*voted([2, 3]), np.arange(200)))
    for place, figure in enumerate(drawn):
        figures.save(figure, folder / f"{place}.png")
        yield (folder / f"{place}.png").read_bytes()
    yield from (figures.to_array(figure).tobytes() for figure in drawn)
    yield page_charts.accuracy_and_loss({"a": history([0.9, 0.95], [0.96, 0.97])}, 1)
    yield page_charts.reliability(random_answers())
    yield page_charts.risk_coverage(random_answers())
    trials = [Trial(0, "complete", 0.9, 1, {"model.lr": 0.1})]
    yield sweep_page.history(trials)
    yield sweep_page.scatter(trials, {"model.lr": [0.1, 0.2]})


@pytest.mark.parametrize(
    "of_the_user",
    [
        {"text.usetex": True},  # needs LaTeX
        {"font.size": 20, "figure.facecolor": "black", "axes.grid": True},
        {"savefig.dpi": 30, "savefig.bbox": "tight", "savefig.facecolor": "red"},
    ],
)
def test_a_user_s_style_changes_no_picture_and_stays(tmp_path, of_the_user):
    usual = list(every_picture(tmp_path))

    with mpl.rc_context(of_the_user):
        before = dict(mpl.rcParams)
        assert list(every_picture(tmp_path)) == usual
        assert dict(mpl.rcParams) == before


NAMES = ["a$b$c", "_first"]


def test_the_charts_of_pages_show_a_user_s_names_as_they_are():
    rows = history([0.9, 0.95], [0.96, 0.97])
    curves = page_charts.accuracy_and_loss({name: rows for name in NAMES}, 1)
    trials = [Trial(0, "complete", 0.9, 1, {"model.kind": NAMES[0]})]
    choices = sweep_page.scatter(trials, {"model.kind": NAMES})
    for drawn in (curves, choices):
        for name in NAMES:
            assert re.search(rf">\s*{re.escape(name)}</text>", drawn), name


def test_a_name_that_a_font_lacks_is_no_warning_and_that_of_a_user_is(tmp_path, recwarn):
    with quiet():
        figures.save(
            plots.curves({"\u5b57": history([0.9, 0.95], [0.96, 0.97])}, {}), tmp_path / "a.png"
        )
        assert not recwarn.list
        own = Figure()
        own.suptitle("\u5b57")
        own.savefig(tmp_path / "own.png")
    assert "missing from font" in str(recwarn.pop(UserWarning).message)
