import csv
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from lit_mnist.pictures.parts import Box
from lit_mnist.pictures.read import Digit, Picture
from lit_mnist.reports import digits_sheet
from lit_mnist.reports.digits_table import (
    COLUMNS,
    digits_csv,
    digits_json,
    guesses,
    picture_rows,
    screen_table,
)
from lit_mnist.reports.figures import DIGITS

IMAGE = np.full((28, 28), 200, np.uint8)


def picture(name, *boxes):
    digits = [Digit(Box(*box), IMAGE) for box in boxes]
    return Picture(Path(name), 300, 200, np.full((200, 300), 255, np.uint8), digits)


def sure_of(digit, probability=0.95, second=1):
    probabilities = np.zeros(10)
    probabilities[second], probabilities[digit] = 1 - probability, probability
    return probabilities


PICTURES = [
    picture("two, lines.png", (10, 20, 30, 40), (60, 20, 30, 40)),
    picture("blank.png"),
    picture("letter.png", (5, 6, 7, 8)),
]
PROBABILITIES = np.stack([sure_of(4), sure_of(2, 0.7), np.full(10, 0.1)])
SURE = np.array([True, False, False])
REJECTED = np.array([False, False, True])
ROWS = picture_rows(PICTURES, PROBABILITIES, SURE, REJECTED, DIGITS)


def test_the_csv_has_a_row_per_digit_or_empty_picture():
    rows = list(csv.reader(io.StringIO(digits_csv(ROWS))))

    assert rows == [
        list(COLUMNS),
        ["two, lines.png", "10", "20", "30", "40", "4", "0.95", "1", "0.05", "yes"],
        ["two, lines.png", "60", "20", "30", "40", "2", "0.7", "1", "0.3", "no"],
        ["blank.png", "", "", "", "", "-", "", "", "", ""],
        ["letter.png", "5", "6", "7", "8", "-", "", "0", "0.1", ""],
    ]


def test_the_json_has_one_object_per_picture():
    two, blank, letter = json.loads(digits_json(ROWS))

    assert (two["file"], two["text"]) == ("two, lines.png", "42")
    assert [digit["x"] for digit in two["digits"]] == [10, 60]
    assert [digit["sure"] for digit in two["digits"]] == [True, False]
    assert list(two["digits"][0]) == list(COLUMNS)
    assert blank == {"file": "blank.png", "text": "", "digits": []}
    assert letter["text"] == ""
    assert letter["digits"][0]["probability"] is None


def test_the_table_shows_picture_box_digit_and_two_guesses():
    lines = screen_table(ROWS).splitlines()

    assert lines[1].split() == [*["two,", "lines.png", "30x40+10+20", "4", "95.0%", "1", "5.0%"]]
    assert "not sure" not in lines[1]
    assert "not sure" in lines[2]
    assert lines[3].split() == ["blank.png", "-"]


def test_a_rejected_guess_is_shown_as_no_digit():
    assert guesses(sure_of(3, 0.49, 7), True, False, DIGITS)["digit"] == "7"
    assert guesses(sure_of(3, 0.6), True, True, DIGITS) == {
        "digit": "-",
        "probability": None,
        "second": "3",
        "second_probability": 0.6,
        "sure": None,
    }


def test_the_sheet_shows_each_box_and_each_digit(tmp_path):
    digits_sheet.save(PICTURES, ROWS, tmp_path / "digits.png")

    sheet = np.asarray(Image.open(tmp_path / "digits.png").convert("RGB")).astype(int)
    tiles = (sheet == 200).all(axis=2)
    assert tiles.sum() >= 3 * digits_sheet.TILE_PX**2
    blue = np.array([0x00, 0x72, 0xB2])
    assert (np.abs(sheet[:, :320] - blue).sum(axis=2) == 0).sum() > 200  # two boxes


def test_many_pictures_are_counted_instead_of_drawn(tmp_path):
    count = digits_sheet.MOST + 5
    none = np.zeros(0, bool)
    rows = picture_rows([picture("a.png")] * count, np.zeros((0, 10)), none, none, DIGITS)

    digits_sheet.save([picture("a.png")] * count, rows, tmp_path / "digits.png")

    assert Image.open(tmp_path / "digits.png").height < 240 * digits_sheet.MOST
