"""Digits drawn with OpenCV's font, as pictures of known content; OpenCV 5 ignores the pen."""

import cv2
import numpy as np


def canvas(height, width, ground=0):
    return np.full((height, width), ground, np.uint8)


def write(picture, text, x, y, *, ink=255, height=100, pen=8):
    """Writes text whose baseline begins at (x, y); a digit is about `height` pixels high."""
    scale = height / 21  # the font's digits are 21 units high
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, pen, cv2.LINE_AA)
    return picture


def paper(text="5", ground=230, ink=40, height=160, width=160):
    """Dark ink on light paper."""
    return write(canvas(height, width, ground), text, 40, 130, ink=ink)
