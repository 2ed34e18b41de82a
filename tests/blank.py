"""Pictures in one colour, and no graph of the net: they take longer than training on small sets."""

import hashlib
import pickle

import numpy as np
from matplotlib.figure import Figure

from lit_mnist.logs import tiles
from lit_mnist.reports import committee_plots, gallery, plots

DRAWN = (
    *((plots, name) for name in ("curves", "confusion")),
    (gallery, "draw"),
    *((committee_plots, name) for name in ("votes_gallery", "errors_by_size_figure")),
)


def pictures(change=setattr):
    """Has all that draws give a figure whose colour tells what it should show, and traces no net.

    Args:
        change: `setattr`, for good, or MonkeyPatch's, for a while.
    """
    for module, name in DRAWN:
        change(module, name, coloured)
    from lit_mnist.logs import board  # which takes Lightning

    for name in ("grid", "confusion"):
        change(tiles, name, tile)
    change(board, "add_graph", lambda *_: None)


def coloured(*shown, **options):
    """Equal for what is equal."""
    return Figure(figsize=(2, 2), facecolor=f"#{_digest(shown, options)[:6]}")


def tile(*shown, **options):
    """Likewise, for TensorBoard."""
    return np.full((2, 2, 3), [*bytes.fromhex(_digest(shown, options)[:6])], np.uint8)


def _digest(*shown):
    return hashlib.sha256(pickle.dumps(shown)).hexdigest()
