"""The digits in pictures as rows; these as CSV, JSON and a table for the terminal."""

import csv
import io
import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from lit_mnist.errors import printable
from lit_mnist.pictures.read import Picture

NONE = "-"  # marks an image that is not a digit
HEAD = "file,x,y,width,height,digit,probability,second,second_probability,sure"
COLUMNS = tuple(HEAD.split(","))
Row = dict[str, Any]  # keys are COLUMNS; None where there is no value


def picture_rows(
    pictures: Sequence[Picture],
    probabilities: np.ndarray,
    sure: np.ndarray,
    rejected: np.ndarray,
    names: Sequence[str],
) -> list[list[Row]]:
    """Returns the rows of each picture; a picture without digits has one row that says so.

    Args:
        pictures: Pictures with D digits in all.
        probabilities: float (D, 10).
        sure: bool (D,): whether each prediction is sure.
        rejected: bool (D,): whether it is no digit.
        names: Names of the ten classes.
    """
    predictions = zip(probabilities, sure.tolist(), rejected.tolist(), strict=True)
    rows = []
    for picture in pictures:
        digit_rows = [
            {"file": str(picture.file), **digit.box._asdict(), **guesses(*next(predictions), names)}
            for digit in picture.digits
        ]
        empty = dict.fromkeys(COLUMNS) | {"file": str(picture.file), "digit": NONE}
        rows.append(digit_rows or [empty])
    return rows


def guesses(probabilities: np.ndarray, sure: bool, rejected: bool, names: Sequence[str]) -> Row:
    """Returns the best and second guess from probabilities (10,); if rejected, the best is `-`."""
    order = np.argsort(-probabilities, kind="stable")
    best, second = ((names[place], round(float(probabilities[place]), 4)) for place in order[:2])
    cells = (NONE, None, *best, None) if rejected else (*best, *second, sure)
    return dict(zip(COLUMNS[5:], cells, strict=True))


def digits_csv(rows: Sequence[list[Row]]) -> str:
    """Formats one row per digit; a cell is blank where there is no value."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    words = {None: None, True: "yes", False: "no"}
    for row in chain.from_iterable(rows):
        writer.writerow(row | {"sure": words[row["sure"]]})
    return text.getvalue()


def digits_json(rows: Sequence[list[Row]]) -> str:
    """Formats one object per picture: file, text in reading order, digits."""
    pictures = [
        {"file": group[0]["file"], "text": text_of(group), "digits": [r for r in group if found(r)]}
        for group in rows
    ]
    return json.dumps(pictures, indent=2) + "\n"


def text_of(rows: Sequence[Row]) -> str:
    """Returns the text of one picture; shapes that are not digits are left out."""
    return "".join(row["digit"] for row in rows if row["digit"] != NONE)


def found(row: Row) -> bool:
    """Returns whether a row is a digit found in the picture, not the note that there is none."""
    return row["x"] is not None


def screen_table(rows: Sequence[list[Row]]) -> str:
    """Formats the rows for the terminal: picture, box, digit, probability, second guess."""
    cells = [("picture", "box", "digit", "probability", "second guess")]
    for row in chain.from_iterable(rows):
        box = "{width}x{height}+{x}+{y}".format_map(row) if found(row) else ""
        unsure = "  not sure" if row["sure"] is False else ""
        second = f"{row['second']} {percent(row['second_probability'])}" if found(row) else ""
        chance = percent(row["probability"]) + unsure
        cells.append((printable(row["file"]), box, row["digit"], chance, second))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)
    return "\n".join(lines)


def percent(probability: float | None) -> str:
    """Formats a probability; blank where there is none."""
    return "" if probability is None else f"{probability:.1%}"
