"""Drawings, as the points that a pen passes in a square of side 1, and as pictures."""

import io

from PIL import Image, ImageDraw

SEVEN = [(0.25, 0.22), (0.4, 0.2), (0.6, 0.2), (0.75, 0.22), (0.65, 0.4), (0.56, 0.6), (0.5, 0.8)]


def picture(points, side=280, pen=22):
    """Renders a drawing, dark on white."""
    image = Image.new("L", (side, side), 255)
    scaled = [(x * side, y * side) for x, y in points]
    ImageDraw.Draw(image).line(scaled, fill=0, width=pen, joint="curve")
    return image


def png(image):
    """Its content as a PNG file."""
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()
