"""The benchmark of own digits: its pictures are reproducible, its counts correct."""

from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def own_digits(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import own_digits

    return own_digits


def test_rows_count_right_missing_and_false_digits(own_digits):
    row = own_digits.row("some", ["12", "3", "", "45"], ["12", "34", "", "4"])

    assert (row["pictures"], row["right"]) == (4, 2)
    assert (row["digits"], row["digits_right"]) == (5, 4)
    assert (row["missing"], row["false"]) == (1, 1)


def test_the_same_seed_gives_the_same_pictures_and_each_damage_changes_them(own_digits):
    damages = own_digits.paper.DAMAGES
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 12:16] = 255
    drawn = [
        {name: damage(bar, np.random.default_rng(0)) for name, damage in damages.items()}
        for _ in range(2)
    ]

    assert all(np.array_equal(drawn[0][name], drawn[1][name]) for name in damages)
    assert all(picture.dtype == np.uint8 for picture in drawn[0].values())
    assert len({picture.tobytes() for picture in drawn[0].values()}) == len(damages)


def test_a_folder_is_measured_by_its_index(own_digits, tmp_path, monkeypatch):
    from PIL import Image

    Image.new("L", (60, 60), 255).save(tmp_path / "blank.png")
    (tmp_path / "index.csv").write_text("file,kind,label\nblank.png,scan,none\n")

    rows, misread = own_digits.photographed(own_digits.Reader([]), tmp_path)

    assert [(row["what"], row["right"]) for row in rows] == [("none", 1), ("none, scan", 1)]
    assert misread == []


@pytest.mark.parametrize("options", [["--sheet", "sheet.png"], ["--data-dir", "elsewhere"]])
def test_missing_images_are_reported_in_one_line(
    own_digits, tmp_path, monkeypatch, capsys, options
):
    monkeypatch.chdir(tmp_path)
    arguments = ["--sheet", "sheet.png", *options]

    status = own_digits.measuring.program(lambda: own_digits.main(arguments))

    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "train-images-idx3-ubyte is missing" in line
    assert line.endswith("or name another folder with --data-dir")
    assert not list(tmp_path.iterdir())


def test_a_folder_without_an_index_is_reported(own_digits, tmp_path):
    with pytest.raises(own_digits.UserError, match=r"no index\.csv in it"):
        own_digits.photographed(own_digits.Reader([]), tmp_path)
