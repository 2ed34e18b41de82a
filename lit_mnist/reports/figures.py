"""What all pictures share: size, colours, and how they are written.

Figures are built without pyplot, so that none stays in memory and none needs a display.
"""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lit_mnist import files

DPI = 120
# Okabe and Ito's colours, which colour-blind readers can tell apart; their yellow is too pale.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DIGITS = tuple("0123456789")


def settled(figure: Figure) -> Figure:
    """Lays the figure out for good: it would otherwise shift a little whenever it is drawn."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all; equal figures give equal bytes."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi="figure", metadata={"Software": None})


def to_array(figure: Figure) -> np.ndarray:
    """Gives uint8 (H, W, 3): the very pixels that `save` writes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
