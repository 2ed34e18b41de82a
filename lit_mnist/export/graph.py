"""Exports a model as a graph of operations for any number of images, by torch.export."""

import gc
import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import torch
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from lit_mnist.errors import UserError
from lit_mnist.export.model import WholeModel
from lit_mnist.shape import SIDE_PX

SHAPES = ({0: Dim("N", min=1)},)  # the number of images is dynamic
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def traced(model: WholeModel, pixels: str) -> ExportedProgram:
    """Traces the model.

    Args:
        model: The model, from images (N, 28, 28) to probabilities.
        pixels: Type of the images' pixels, a key of `formats.PIXELS`.

    Raises:
        UserError: The model's control flow depends on the images or on their number.
    """
    images = torch.zeros(2, SIDE_PX, SIDE_PX, dtype=getattr(torch, pixels))
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(model, (images,), dynamic_shapes=SHAPES, strict=False)
    except Exception as error:  # a user's network may raise anything
        if "specialized it to be a constant" in str(error):  # torch's words on SHAPES
            raise UserError(
                "the network cannot be traced for any number of images, as it computes with a fixed"
                " one; take x.shape[0] for len(x), and -1 or x.shape[0] for a number that you have"
                " written, or take --format safetensors"
            ) from error
        raise UserError(
            f"the network cannot be traced ({first_line(error)}); avoid branches"
            " that depend on pixels or on the batch size, or take --format safetensors"
        ) from error
    for graph in program.graph_module.modules():
        for node in graph.graph.nodes if isinstance(graph, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # it contains paths of this machine
    # Tracing leaves subclasses of the traced classes, under their names, by which a later `fit` in
    # this process would find several (torch/fx/experimental/proxy_tensor.py, `AttrProxy`)
    gc.collect()
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses what torch prints and logs while it exports, such as whole graphs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        logging.disable(before)


def first_line(error: BaseException) -> str:
    """Returns the first line of the message of an error's root cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = _COLOUR.sub("", str(error)).strip() or type(error).__name__
    return text.splitlines()[0].partition(" For more information, run with TORCH_LOGS")[0][:150]
