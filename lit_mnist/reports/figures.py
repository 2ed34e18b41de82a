"""Common size, style and colours of all pictures, and writing them.

Figures are built without pyplot, so that none stays in memory or needs a display.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lit_mnist import files

DPI = 120
# Okabe and Ito's colours, which colour-blind readers can distinguish; their yellow is too pale.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DIGITS = tuple("0123456789")


@contextmanager
def default_style(changes: dict[str, Any] | None = None) -> Iterator[None]:
    """Draws in matplotlib's own style inside the context, or in the function that it decorates.

    A user's `matplotlibrc` is for the user's figures: ours need no LaTeX, and equal ones have equal
    bytes. Some settings are read as late as in saving, so that it takes place in the context too.

    Args:
        changes: Settings that differ from matplotlib's.
    """
    from matplotlib import style  # reads its styles, which only drawing needs

    with style.context(["default", changes or {}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the name of a run
        yield


def literal(text: str) -> str:
    """Returns a user's text so that matplotlib shows it as it is.

    Dollars would begin a formula, and a label that begins with `_` is in no legend.
    """
    return (f" {text}" if text.startswith("_") else text).replace("$", r"\$")


def settled(figure: Figure) -> Figure:
    """Fixes the figure's layout, which would otherwise shift a little each time it is drawn."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


@default_style()
def save(figure: Figure, path: Path) -> None:
    """Writes a PNG atomically; equal figures give equal bytes."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi="figure", metadata={"Software": None})


@default_style()
def to_array(figure: Figure) -> np.ndarray:
    """Returns the pixels that `save` writes: uint8 (H, W, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
