"""A model as a graph of operations, free of Python, for any number of images: torch.export."""

import warnings

import torch
from torch.export import Dim, ExportedProgram

from lit_mnist.errors import UserError
from lit_mnist.export.model import WholeModel
from lit_mnist.shape import SIDE_PX

REMEDY = "write it without choices that depend on pixels, or take --format safetensors"


def traced(model: WholeModel, pixels: str) -> ExportedProgram:
    """Records what the model does.

    Args:
        model: Whose forward takes images (N, 28, 28).
        pixels: Their type, a key of `formats.PIXELS`.

    Raises:
        UserError: What it does depends on the images, or on how many there are.
    """
    images = torch.zeros(2, SIDE_PX, SIDE_PX, dtype=getattr(torch, pixels))
    try:
        with warnings.catch_warnings(action="ignore"), torch.no_grad():
            return torch.export.export(
                model, (images,), dynamic_shapes=({0: Dim("N", min=1)},), strict=False
            )
    except Exception as error:  # a user's network may raise anything
        raise refused("no graph can be made of the network", error) from error


def refused(what: str, error: Exception) -> UserError:
    """Gives the first line of a library's reasons, and what to do."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return UserError(f"{what} ({first:.150}); {REMEDY}")
