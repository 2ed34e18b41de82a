"""The connected parts of a picture's ink, without lines, frames, edges, shadows and specks."""

from typing import NamedTuple

import cv2
import numpy as np

from lit_mnist.pictures.ground import Ink
from lit_mnist.pictures.lines import without_lines

MOST = 400  # largest parts that are considered; more than that is texture
SURE = 1.5  # minimum contrast of a part, in multiples of the threshold of ink
STROKE = 0.35  # minimum strength of a stroke, as a fraction of its part's contrast
FAINT = 0.4  # of the usual contrast; fainter parts are shadows, or the back showing through
SPECK = 0.25  # of the usual size; smaller parts are specks
COVERED = 0.7  # minimum fraction of each side of its box that a frame covers
SLENDER = 4  # width / height from which a part at the border is a sheet's edge or a line's rest
RIM = 0.1  # of the picture's side: all of a sheet's edge is as near to the border


class Box(NamedTuple):
    """A rectangle in a picture, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height

    @property
    def size(self) -> int:
        """Length of the longer side."""
        return max(self.width, self.height)

    def around(self, other: "Box") -> "Box":
        """Returns the smallest box that contains both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        return Box(x, y, right - x, bottom - y)

    def holds(self, other: "Box") -> bool:
        """Returns whether the other box lies inside, touching no side."""
        across = self.x < other.x and other.right < self.right
        return across and self.y < other.y and other.bottom < self.bottom

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """Crops a picture `(H, W)` to the box."""
        return pixels[self.y : self.bottom, self.x : self.right]


class Part(NamedTuple):
    """Connected ink, or several connected pieces joined to one."""

    box: Box
    mask: np.ndarray  # bool (height, width): pixels of the box that are ink
    contrast: float  # grey levels between ink and ground

    def joined(self, other: "Part") -> "Part":
        """Joins two parts to one."""
        box = self.box.around(other.box)
        mask = np.zeros((box.height, box.width), bool)
        for part in (self, other):
            place = part.box._replace(x=part.box.x - box.x, y=part.box.y - box.y)
            place.cut(mask)[part.mask] = True
        larger = max(self, other, key=lambda part: part.mask.sum())
        return Part(box, mask, larger.contrast)


def find_parts(ink: Ink) -> list[Part]:
    """Finds the parts of digits in a picture, in no particular order."""
    mask: np.ndarray = (ink.strength > ink.threshold).astype(np.uint8)
    for frame in frames(connected(ink, mask), ink):
        erase(mask, frame)
        frame.box.cut(mask)[touching(frame, ink)] = 1
    parts = connected(ink, without_lines(mask, ink.strength)) or connected(ink, mask)
    written = [part for part in parts if not is_edge(part, mask.shape)]
    return without_specks(written or parts)


def erase(mask: np.ndarray, part: Part) -> None:
    """Removes a part and its blurred rim from a mask, in place."""
    rim = 3
    wide: np.ndarray = np.pad(part.mask, rim).astype(np.uint8)
    wide = cv2.dilate(wide, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
    top, left = max(0, part.box.y - rim), max(0, part.box.x - rim)
    region = mask[top : part.box.bottom + rim, left : part.box.right + rim]
    row, column = top - part.box.y + rim, left - part.box.x + rim
    region[wide[row : row + region.shape[0], column : column + region.shape[1]] > 0] = 0


def connected(ink: Ink, mask: np.ndarray) -> list[Part]:
    """Returns the connected parts of a mask, uint8 `(H, W)`, with enough contrast."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    parts = []
    for label in np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:MOST] + 1:
        box = Box(*stats[label, :4].tolist())
        inside, strength = box.cut(labels) == label, box.cut(ink.strength)
        contrast = float(np.percentile(strength[inside], 90))
        strokes = inside & (strength > STROKE * contrast)
        if contrast < SURE * ink.threshold or strokes.sum() < 4:
            continue
        within = Box(*cv2.boundingRect(strokes.astype(np.uint8)))
        place = within._replace(x=box.x + within.x, y=box.y + within.y)
        parts.append(Part(place, within.cut(strokes), contrast))
    return parts


def frames(parts: list[Part], ink: Ink) -> list[Part]:
    """Returns the parts that are boxes of a form: ink along all four sides, a part in or across."""
    return [
        part
        for part in parts
        if min(covered(part.mask)) > COVERED
        and (
            any(part.box.holds(other.box) and 4 * other.box.size > part.box.size for other in parts)
            or touching(part, ink).any()
        )
    ]


def touching(frame: Part, ink: Ink) -> np.ndarray:
    """Returns the strokes that cross the sides of a frame, bool `(height, width)`."""
    mask = frame.mask.astype(np.uint8)
    written = without_lines(mask, frame.box.cut(ink.strength))
    if max(covered(written)) > COVERED:  # its sides are not straight
        return np.zeros_like(frame.mask)
    labels, stats = cv2.connectedComponentsWithStats(written)[1:3]
    longest = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    large = np.flatnonzero(4 * longest > frame.box.size)
    return (written > 0) & np.isin(labels, large)


def covered(mask: np.ndarray) -> list[float]:
    """Returns the fraction of each of the four sides that a mask covers."""
    rim = max(2, round(0.08 * min(mask.shape)))
    rows = [mask[:rim].any(axis=0), mask[-rim:].any(axis=0)]
    columns = [mask[:, :rim].any(axis=1), mask[:, -rim:].any(axis=1)]
    return [float(side.mean()) for side in rows + columns]


def is_edge(part: Part, shape: tuple[int, ...]) -> bool:
    """Returns whether a part at the border is the edge of a sheet or the rest of a line."""
    box, (height, width) = part.box, shape
    across = box.x <= 1 or box.right >= width - 1
    down = box.y <= 1 or box.bottom >= height - 1
    if not (across or down):
        return False
    long = 2 * box.width >= width or 2 * box.height >= height
    return box.width >= SLENDER * box.height or (long and hugs_border(part, shape))


def hugs_border(part: Part, shape: tuple[int, ...]) -> bool:
    """Returns whether all of a part lies near the picture's border."""
    margin = [max(2, round(RIM * side)) for side in shape]
    rows, columns = np.nonzero(part.mask)
    rows, columns = rows + part.box.y, columns + part.box.x
    inner_rows = (rows >= margin[0]) & (rows < shape[0] - margin[0])
    inner_columns = (columns >= margin[1]) & (columns < shape[1] - margin[1])
    return not bool((inner_rows & inner_columns).any())


def without_specks(parts: list[Part]) -> list[Part]:
    """Drops parts that are much fainter or smaller than the others."""
    if not parts:
        return []
    large = [part for part in parts if 2 * part.box.size >= max(p.box.size for p in parts)]
    contrast = np.median([part.contrast for part in large])
    parts = [part for part in parts if part.contrast >= FAINT * contrast]
    smallest = SPECK * usual_size(parts)
    return [part for part in parts if part.box.size >= smallest]


def usual_size(parts: list[Part]) -> float:
    """Returns the median size of parts in pixels, without specks."""
    sizes = np.array([part.box.size for part in parts])
    return float(np.median(sizes[sizes >= 0.5 * sizes.max()]))
