"""Finds the digits in a picture's ink: joins parts, splits touching digits, sorts them."""

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from lit_mnist.pictures.files import Layout
from lit_mnist.pictures.form import is_written, stroke_width
from lit_mnist.pictures.ground import Ink
from lit_mnist.pictures.parts import Box, Part, find_parts, usual_size

TOUCHING = 0.15  # of the usual size: parts above one another and as near are of one digit
NEAR = 0.3  # ... and as near, if both together are no larger than a digit
BESIDE = 0.12  # ... and as near side by side, if one is smaller than half a digit
FLAT = 2.0  # times as wide as high: no digit, but perhaps the bar of one
BAR = 0.5  # of its own length: as near a bar may lie above or below the rest
TWO_DIGITS, ALONE = 1.3, 1.7  # times as wide as high: several digits that touch, beside others
DIGIT = 0.75  # of its height is a digit's usual width
GROUND, FULL = 0.15, 0.8  # of a part's contrast: what becomes 0 and 1


class Found(NamedTuple):
    """A digit in a picture."""

    box: Box
    ink: np.ndarray  # float32 (height, width), 0 to 1


def find_digits(ink: Ink, layout: Layout = "auto") -> list[Found]:
    """Finds the digits, line by line in reading order.

    Args:
        ink: Of the picture.
        layout: "single" takes all parts near the largest for one digit.
    """
    parts = find_parts(ink)
    if not parts:
        return []
    joined = [join_around_largest(parts)] if layout == "single" else join(parts)
    digits = reading_order(split_touching(joined, layout))
    found = [Found(digit.box, cut_out(ink, digit)) for digit in digits]
    drawn = [digit for digit in found if is_written(digit.ink)]
    area = [sum(digit.box.width * digit.box.height for digit in some) for some in (drawn, found)]
    return drawn if 2 * area[0] > area[1] else []


def join_around_largest(parts: list[Part]) -> Part:
    """Joins the largest part with those near it."""
    largest = max(parts, key=lambda part: part.mask.sum() * part.contrast)
    digit = largest
    for part in parts:
        if part is not largest and max(gaps(largest.box, part.box)) <= NEAR * largest.box.size:
            digit = digit.joined(part)
    return digit


def join(parts: list[Part]) -> list[Part]:
    """Joins the parts of each digit; leaves out what is flat even so."""
    usual = usual_size(parts)
    joined: list[Part] = []
    for part in sorted(parts, key=lambda part: -part.box.size):
        while other := next((p for p in joined if belong(p.box, part.box, usual)), None):
            joined = [p for p in joined if p is not other]
            part = part.joined(other)
        joined.append(part)
    flat = [part for part in joined if part.box.width > FLAT * part.box.height]
    return [part for part in joined if all(part is not other for other in flat)]


def belong(one: Box, other: Box, usual: float) -> bool:
    """Tells whether two parts are of one digit; `usual` is the size of digits in pixels."""
    beside, above = gaps(one, other)
    if -beside >= 0.5 * min(one.width, other.width):
        bars = [box.width for box in (one, other) if box.width > FLAT * box.height]
        fits = one.around(other).height <= 1.4 * usual
        near = NEAR * usual if fits else max([TOUCHING * usual, *(BAR * bar for bar in bars)])
        return above <= near
    return max(beside, above) <= BESIDE * usual and min(one.height, other.height) < 0.5 * usual


def gaps(one: Box, other: Box) -> tuple[int, int]:
    """Gives the pixels between two boxes across and down; less than 0 where they overlap."""
    across = max(one.x, other.x) - min(one.right, other.right)
    return across, max(one.y, other.y) - min(one.bottom, other.bottom)


def split_touching(parts: list[Part], layout: Layout) -> list[Part]:
    """Splits what is as wide as several digits, where hardly any ink joins the halves."""
    if layout == "single":
        return parts
    widest = TWO_DIGITS if len(parts) > 1 else ALONE
    split: list[Part] = []
    for part in parts:
        count = round(part.box.width / (DIGIT * part.box.height))
        wide = part.box.width >= widest * part.box.height
        split += split_at(part, seams(part.mask, count)) if wide else [part]
    return split


def seams(mask: np.ndarray, count: int) -> list[int]:
    """Gives the columns that part ink into `count` digits; fewer where strokes are thick."""
    width = mask.shape[1]
    ink = mask.sum(axis=0)
    thin = 1.5 * max(1.0, stroke_width(mask.astype(np.float32)))
    columns = []
    for seam in range(1, count):
        first, last = round((seam - 0.3) * width / count), round((seam + 0.3) * width / count)
        column = first + int(np.argmin(ink[first:last]))
        if ink[column] <= thin:
            columns.append(column)
    return columns


def split_at(part: Part, columns: list[int]) -> list[Part]:
    """Cuts a part at some columns of its mask."""
    pieces = []
    for first, last in itertools.pairwise([0, *columns, part.box.width]):
        mask = part.mask[:, first:last]
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        if width:
            box = Box(part.box.x + first + left, part.box.y + top, width, height)
            pieces.append(Part(box, mask[top : top + height, left : left + width], part.contrast))
    return pieces


def reading_order(parts: list[Part]) -> list[Part]:
    """Sorts by line and column; a line may rise or fall."""
    lines: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: part.box.x):
        same = [line for line in lines if on_one_line(line[-1].box, part.box)]
        if same:
            max(same, key=lambda line: line[-1].box.x).append(part)
        else:
            lines.append([part])
    lines.sort(key=lambda line: np.mean([part.box.y + part.box.height / 2 for part in line]))
    return [part for line in lines for part in line]


def on_one_line(one: Box, other: Box) -> bool:
    """Tells whether two digits stand side by side rather than above one another."""
    return -gaps(one, other)[1] >= 0.4 * min(one.height, other.height)


def cut_out(ink: Ink, digit: Part) -> np.ndarray:
    """Gives the ink of one digit and no other, float32 `(height, width)` from 0 to 1."""
    own = cv2.dilate(digit.mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    share = digit.box.cut(ink.strength) * own / digit.contrast
    return np.clip((share - GROUND) / (FULL - GROUND), 0, 1).astype(np.float32)
