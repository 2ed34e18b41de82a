"""Finds the digits in a picture's ink: joins parts, splits touching digits, sorts them."""

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from lit_mnist.pictures.files import Layout
from lit_mnist.pictures.form import is_written, stroke_width
from lit_mnist.pictures.ground import Ink
from lit_mnist.pictures.parts import Box, Part, find_parts, usual_size

# Largest gap between parts of one digit, as a fraction of the usual size of digits:
TOUCHING = 0.15  # parts above one another
NEAR = 0.3  # parts above one another that together are no larger than a digit
BESIDE = 0.12  # parts side by side, one of them smaller than half a digit
FLAT = 2.0  # width / height from which a part is no digit, but perhaps the bar of one
BAR = 0.5  # largest gap between a bar and the rest, as a fraction of the bar's length
# Width / height from which a part is several touching digits: among other parts, and alone
TWO_DIGITS, ALONE = 1.3, 1.7
DIGIT = 0.75  # usual width / height of a digit
GROUND, FULL = 0.15, 0.8  # fractions of a part's contrast that are mapped to 0 and 1


class Found(NamedTuple):
    """A digit in a picture."""

    box: Box
    ink: np.ndarray  # float32 (height, width), 0 to 1


def find_digits(ink: Ink, layout: Layout = "auto") -> list[Found]:
    """Finds the digits, line by line in reading order.

    Args:
        ink: Ink of the picture.
        layout: "single" joins all parts near the largest one to a single digit.
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
    """Joins the parts of each digit; drops parts that are still flat afterwards."""
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
    """Returns whether two parts belong to one digit; `usual` is the size of digits in pixels."""
    beside, above = gaps(one, other)
    if -beside >= 0.5 * min(one.width, other.width):
        bars = [box.width for box in (one, other) if box.width > FLAT * box.height]
        fits = one.around(other).height <= 1.4 * usual
        near = NEAR * usual if fits else max([TOUCHING * usual, *(BAR * bar for bar in bars)])
        return above <= near
    return max(beside, above) <= BESIDE * usual and min(one.height, other.height) < 0.5 * usual


def gaps(one: Box, other: Box) -> tuple[int, int]:
    """Returns the horizontal and vertical gap of two boxes in pixels, negative if they overlap."""
    across = max(one.x, other.x) - min(one.right, other.right)
    return across, max(one.y, other.y) - min(one.bottom, other.bottom)


def split_touching(parts: list[Part], layout: Layout) -> list[Part]:
    """Splits parts as wide as several digits where hardly any ink connects the halves."""
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
    """Returns the columns that separate `count` digits, except where more than a stroke is cut."""
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
    """Cuts a part at the given columns of its mask."""
    pieces = []
    for first, last in itertools.pairwise([0, *columns, part.box.width]):
        mask = part.mask[:, first:last]
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        if width:
            box = Box(part.box.x + first + left, part.box.y + top, width, height)
            pieces.append(Part(box, mask[top : top + height, left : left + width], part.contrast))
    return pieces


def reading_order(parts: list[Part]) -> list[Part]:
    """Sorts parts by line, then from left to right; lines may slope."""
    lines: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: part.box.x):
        candidates = [line for line in lines if on_one_line(line[-1].box, part.box)]
        if candidates:
            max(candidates, key=lambda line: line[-1].box.x).append(part)
        else:
            lines.append([part])
    lines.sort(key=lambda line: np.mean([part.box.y + part.box.height / 2 for part in line]))
    return [part for line in lines for part in line]


def on_one_line(one: Box, other: Box) -> bool:
    """Returns whether two digits stand side by side rather than above one another."""
    return -gaps(one, other)[1] >= 0.4 * min(one.height, other.height)


def cut_out(ink: Ink, digit: Part) -> np.ndarray:
    """Returns the ink of one digit without its neighbours', float32 `(height, width)` in [0, 1]."""
    region = cv2.dilate(digit.mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    share = digit.box.cut(ink.strength) * region / digit.contrast
    return np.clip((share - GROUND) / (FULL - GROUND), 0, 1).astype(np.float32)
