"""Removes ruled lines, which run straight across a picture, from its ink."""

import cv2
import numpy as np

# Fractions of the picture's side:
PIECE = 0.12  # shortest straight piece of a line
BORDERS = 0.25  # minimum total length of a line's pieces if they reach from border to border
ACROSS = 0.85  # ... if they do not
RULED = 0.6  # ... if there are SEVERAL such lines
SEVERAL = 3
GAP = 0.6  # largest gap in a line, where a digit hides it
THICKEST = 1 / 18  # thickness that no line has
DARKER = 1.4  # ink that is this many times as strong as a line is a pen's
SMALLEST = 60  # shorter side in pixels; in smaller pictures strokes are as thin as lines


def without_lines(mask: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Removes ruled lines from ink, and keeps the strokes that cross them whole.

    Args:
        mask: uint8 `(H, W)`, 1 where there is ink.
        strength: float32 `(H, W)`, strength of the ink; a pen is darker than the lines below it.
    """
    if min(mask.shape) < SMALLEST:
        return mask
    across, down = lines_across(mask), lines_across(np.ascontiguousarray(mask.T))
    mask = np.ascontiguousarray(remove_lines(mask, across, strength).T)
    return np.ascontiguousarray(remove_lines(mask, down, strength.T).T)


def lines_across(mask: np.ndarray) -> np.ndarray:
    """Returns the ink of roughly horizontal lines, uint8 `(H, W)`."""
    width = mask.shape[1]
    piece, gap = round(width * PIECE) | 1, round(width * GAP) | 1
    thick = np.ones((max(4, round(width * THICKEST)), 1), np.uint8)
    pieces = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, piece), np.uint8))
    # By default OpenCV treats everything beyond the border as ink, so a line there would be thick
    opened = cv2.morphologyEx(
        mask, cv2.MORPH_OPEN, thick, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    pieces = cv2.subtract(pieces, opened)
    joined = cv2.dilate(pieces, np.ones((5, gap), np.uint8))
    labels = cv2.connectedComponents(joined)[1] * pieces
    lines, ruled = np.zeros_like(mask), np.zeros_like(mask)
    count = 0
    for label in np.unique(labels[labels > 0]):
        line = without_gaps((labels == label).astype(np.uint8), mask)
        columns = np.flatnonzero(line.any(axis=0))
        spans = columns[0] <= 2 and columns[-1] >= width - 3
        if len(columns) >= (BORDERS if spans else ACROSS) * width:
            lines |= line
        if len(columns) >= RULED * width:
            ruled, count = ruled | line, count + 1
    return lines | ruled if count >= SEVERAL else lines


def without_gaps(line: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fills the gaps of a horizontal line with the ink of strokes that cross it."""
    columns = np.flatnonzero(line.any(axis=0))
    if len(columns) < 2:
        return line
    rows = np.arange(len(line))[:, None]
    height = line[:, columns].sum(axis=0)
    middle = (rows * line[:, columns]).sum(axis=0) / height
    slope, start = np.polyfit(columns, middle, 1)
    between = np.arange(columns[0], columns[-1] + 1)
    passes = np.abs(rows - (start + slope * between)) <= np.median(height) / 2
    gap = passes & ~line[:, between].any(axis=0)
    filled = line.copy()
    filled[:, between] |= mask[:, between] & gap
    return filled


def thickness_of(line: np.ndarray) -> float:
    """Returns the median height of a horizontal line, in pixels."""
    columns = line.sum(axis=0)
    return float(np.median(columns[columns > 0]))


def remove_lines(mask: np.ndarray, lines: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Returns the ink outside horizontal lines, and inside them where a stroke crosses."""
    if not lines.any():
        return mask
    thickness = round(thickness_of(lines))
    kept = mask & (1 - cv2.dilate(lines, np.ones((3, 3), np.uint8)))
    kept |= mask & (strength > DARKER * np.median(strength[lines > 0]))
    kept &= reaches_out(kept, cv2.dilate(lines, np.ones((thickness | 1,) * 2, np.uint8)))
    bridge = np.ones((thickness + 5, 1), np.uint8)
    return kept | (cv2.morphologyEx(kept, cv2.MORPH_CLOSE, bridge) & mask)


def reaches_out(mask: np.ndarray, band: np.ndarray) -> np.ndarray:
    """Drops the parts of a mask that lie within a band, such as the frayed edge of a line."""
    _, labels = cv2.connectedComponents(mask)
    outside = np.unique(labels[(mask > 0) & (band == 0)])
    return np.isin(labels, outside).astype(np.uint8)
