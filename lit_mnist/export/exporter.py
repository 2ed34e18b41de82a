"""Writes a model file and its card, or neither if its predictions differ from the run's."""

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.export import model_card
from lit_mnist.export.agreement import ValidationData, check, validation_data
from lit_mnist.export.facts import Facts
from lit_mnist.export.formats import format_module
from lit_mnist.export.model import WholeModel


class Order(NamedTuple):
    """The file to write.

    Attributes:
        format: A key of `FORMATS`.
        output: Path of the file.
        pixels: A key of `PIXELS`: the type of pixels that the file accepts.
        data_dir: Folder of the run's data; None for that of its config.
    """

    format: str
    output: Path
    pixels: str
    data_dir: Path | None = None


class Outcome(NamedTuple):
    """Result of comparing a written file with its run.

    Attributes:
        difference: The largest difference of a probability.
        images: Number of images that were compared.
    """

    difference: float
    images: int


def export(facts: Facts, order: Order) -> Outcome:
    """Writes the file, loads and checks it, and writes its card.

    Raises:
        UserError: The format cannot hold the network, the file's predictions differ from the run's,
            or a card written by the user would be overwritten. Existing files are then unchanged.
    """
    card = order.output.with_name(model_card.NAME)
    if model_card.is_user_written(card):
        raise UserError(f"{card}: not written by export, or changed since; move it away")
    model = facts.trained.model()
    place = {"data_dir": str(order.data_dir)} if order.data_dir else {}
    data = validation_data(facts.data | place, str(facts.results.get("data_sha256", "")))
    images = data.images if order.pixels == "uint8" else (data.images / 255).astype(np.float32)
    began = time.perf_counter()
    content = _content(facts, model, order)
    with files.replacing(order.output) as temporary, ExitStack() as stack:
        temporary.write_bytes(content)
        difference = check(_reader(order.format, temporary, facts), model, images)
        file = model_card.ModelFile(
            name=order.output.name,
            format=order.format,
            pixels=order.pixels,
            bytes=len(content),
            seconds=time.perf_counter() - began,
            difference=difference,
            picture=_copied_picture(facts, order.output, stack),
        )
        files.write_text(card, _card(facts, file, data))
    return Outcome(difference, len(images))


def _card(facts: Facts, file: model_card.ModelFile, data: ValidationData) -> str:
    """Formats the card; errors in the run's files, which users may edit, are UserErrors."""
    try:
        return model_card.text(facts, file, data)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(
            f"{facts.run.folder}: no card can be made of its results.json and config.yaml"
            f" ({type(error).__name__}: {error!s:.99}); test the run again"
        ) from error


def _content(facts: Facts, model: WholeModel, order: Order) -> bytes:
    metadata, module = facts.metadata(order.pixels), format_module(order.format)
    if order.format == "safetensors":
        return module.content(facts.trained, metadata)
    from lit_mnist.export.graph import traced

    return module.content(traced(model, order.pixels), metadata)


def _reader(name: str, path: Path, facts: Facts) -> Any:
    classes = {"classes": facts.trained.classes} if name == "safetensors" else {}
    return format_module(name).Reader(path, **classes)


def _copied_picture(facts: Facts, output: Path, stack: ExitStack) -> str:
    """Copies the picture of misclassified images beside the file, and returns its name."""
    source = facts.picture
    if source is None:
        return ""
    if output.parent.resolve() == facts.run.folder.resolve():
        return source.name
    target = output.with_name(f"{output.stem}_{source.name}")
    shutil.copyfile(source, stack.enter_context(files.replacing(target)))
    return target.name
