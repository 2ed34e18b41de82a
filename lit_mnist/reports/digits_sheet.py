"""`digits.png`: pictures with boxes, and beside them each digit as the net sees it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from lit_mnist import files
from lit_mnist.pictures.files import SHEET_MARK
from lit_mnist.pictures.read import Picture

MOST = 40  # pictures on a sheet, at most
LINE_PX = 168  # height of a line of tiles
PICTURE_PX = 320  # width of the column of pictures
TILE_PX = 112  # a digit's 28 pixels, four times as large
WIDTH_PX = PICTURE_PX + 8 * (TILE_PX + 8) + 16
INK, SURE, NO_DIGIT, GROUND = "#222222", "#0072B2", "#D55E00", "#FFFFFF"

Row = Mapping[str, Any]


def save(pictures: Sequence[Picture], rows: Sequence[Sequence[Row]], path: Path) -> None:
    """Writes the sheet as PNG atomically.

    Args:
        pictures: The pictures; the first 40 are shown.
        rows: For each picture: x, y, width, height, digit, probability, sure of each digit.
        path: The file to write.
    """
    blocks = [draw(*pair) for pair in zip(pictures[:MOST], rows[:MOST], strict=True)]
    left = len(pictures) - len(blocks)
    sheet = Image.new("RGB", (WIDTH_PX, sum(b.height for b in blocks) + 24 * (left > 0)), GROUND)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    if left:
        text = f"{left} more pictures are in digits.csv"
        ImageDraw.Draw(sheet).text((8, top + 4), text, fill=INK)
    with files.replacing(path) as temporary:
        sheet.save(temporary, format="PNG", pnginfo=_mark())


def _mark() -> PngInfo:
    """Returns the mark by which a folder's sheet is told from its pictures."""
    mark = PngInfo()
    mark.add_text(*SHEET_MARK)
    return mark


def draw(picture: Picture, rows: Sequence[Row]) -> Image.Image:
    """Draws one picture with its boxes, its name above it, and its digits beside it."""
    shown = boxed(picture, rows)
    across = (WIDTH_PX - PICTURE_PX - 16) // (TILE_PX + 8)
    lines = max(1, -(-len(picture.digits) // across))
    block = Image.new("RGB", (WIDTH_PX, max(lines * LINE_PX, shown.height + 32)), GROUND)
    pen = ImageDraw.Draw(block)
    pen.text((8, 4), printable(picture.file.name), fill=INK)
    block.paste(shown, (8, 24))
    for place, (digit, row) in enumerate(zip(picture.digits, rows, strict=False)):
        line, column = divmod(place, across)
        left, top = PICTURE_PX + 16 + column * (TILE_PX + 8), line * LINE_PX + 24
        tile = Image.fromarray(digit.image).resize((TILE_PX, TILE_PX), Image.Resampling.NEAREST)
        block.paste(tile, (left, top))
        pen.text((left, top + TILE_PX + 2), caption(row), fill=colour(row), font_size=16)
    if not picture.digits:
        pen.text((PICTURE_PX + 16, 24), "no digit", fill=NO_DIGIT, font_size=16)
    return block


def boxed(picture: Picture, rows: Sequence[Row]) -> Image.Image:
    """Returns the thumbnail with a box around each digit."""
    image = Image.fromarray(picture.thumbnail).convert("RGB")
    image.thumbnail((PICTURE_PX - 8, PICTURE_PX - 8))
    pen = ImageDraw.Draw(image)
    across, down = image.width / picture.width, image.height / picture.height
    for digit, row in zip(picture.digits, rows, strict=False):
        box = digit.box
        corners = (box.x * across - 2, box.y * down - 2, box.right * across, box.bottom * down)
        pen.rectangle(corners, outline=colour(row), width=2)
    return image


def caption(row: Row) -> str:
    """Returns digit and probability, with `?` if unsure; for no digit, the class it resembles."""
    if row["probability"] is None:
        return f"none ({row['second']}?)"
    unsure = " ?" if row["sure"] is False else ""
    return f"{row['digit']}  {row['probability']:.1%}{unsure}"


def colour(row: Row) -> str:
    """Returns the colour of a digit's box and caption."""
    return NO_DIGIT if row["probability"] is None else SURE


def printable(name: str) -> str:
    """Replaces characters of a file's name that the font lacks."""
    return name.encode("ascii", "replace").decode()[:48]
