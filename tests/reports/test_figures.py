from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lit_mnist.reports import figures, gallery, plots
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
