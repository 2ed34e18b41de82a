"""The dense and the simple net with fewer units, of which a run of seconds takes half the time.

The layers and their order are the notebook's. Tests of the sizes themselves take `full_size`.
"""

from lit_mnist.models.nets import Dense, SimpleConv

SMALL = {(Dense, "units"): (128, 64), (SimpleConv, "maps"): 4, (SimpleConv, "units"): 32}
FULL = {(net, name): getattr(net, name) for net, name in SMALL}


def resize(sizes, change=setattr):
    """Has all nets that are built from now on be of these sizes.

    Args:
        sizes: `SMALL` or `FULL`.
        change: `setattr`, for good, or MonkeyPatch's, for a while.
    """
    for (net, name), size in sizes.items():
        change(net, name, size)
