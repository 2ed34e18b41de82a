"""The page's files; it loads nothing from other hosts."""

from importlib.resources import files
from typing import NamedTuple

KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
NAMES = (
    *("page.html", "style.css", "icon.svg"),
    *("page.js", "drawing.js", "paint.js", "answer.js"),
)


class Asset(NamedTuple):
    """A file of the page."""

    kind: str  # its Content-Type
    content: bytes


def assets() -> dict[str, Asset]:
    """Reads the files, by URL path; the page itself is at `/`."""
    return {
        "/" if name == "page.html" else f"/{name}": Asset(
            KINDS[name.rpartition(".")[2]], (files(__package__) / name).read_bytes()
        )
        for name in NAMES
    }
