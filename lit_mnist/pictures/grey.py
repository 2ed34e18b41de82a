"""Converts an image of any Pillow mode to 8-bit greyscale."""

import numpy as np
from PIL import Image


def in_grey(image: Image.Image) -> np.ndarray:
    """Converts any mode to uint8 `(H, W)`, in little more memory than the image itself takes.

    Transparent pixels become white around dark ink and black around light ink.

    Raises:
        ValueError: The image has no pixels, or its mode cannot be converted to grey.
    """
    if not all(image.size):
        raise ValueError("no pixels")
    if image.mode.startswith(("I", "F")):
        return _eight_bits(np.array(image, np.float32), image.mode)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    grey, alpha = image.convert("LA").split()
    light, opacity = np.asarray(grey), np.asarray(alpha)
    light_ink = np.einsum("ij,ij", light, opacity, dtype=np.int64) > 127 * opacity.sum(dtype=int)
    ground = Image.new("L", image.size, 0 if light_ink else 255)
    return np.asarray(Image.composite(grey, ground, alpha))


def _eight_bits(pixels: np.ndarray, mode: str) -> np.ndarray:
    """Scales pixels of a deeper mode, float32 `(H, W)`, to uint8; overwrites the input.

    Only the 16-bit modes define white, as 65,535. In the others, white is the first of 1, 255 and
    65,535 that no pixel exceeds, or else the largest pixel.
    """
    np.nan_to_num(pixels, copy=False)
    peak = pixels.max()
    whites = (65535,) if mode.startswith("I;16") else (1, 255, 65535, peak)
    white = next(white for white in whites if white >= peak)
    pixels.clip(0, out=pixels)
    pixels /= white
    pixels *= 255
    return np.rint(pixels, out=pixels).astype(np.uint8)
