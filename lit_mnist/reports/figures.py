"""Common size and colours of all pictures, and writing them.

Figures are built without pyplot, so that none stays in memory or needs a display.
"""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lit_mnist import files

DPI = 120
# Okabe and Ito's colours, which colour-blind readers can distinguish; their yellow is too pale.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DIGITS = tuple("0123456789")


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


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG atomically; equal figures give equal bytes."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi="figure", metadata={"Software": None})


def to_array(figure: Figure) -> np.ndarray:
    """Returns the pixels that `save` writes: uint8 (H, W, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
