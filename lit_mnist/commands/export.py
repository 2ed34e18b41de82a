"""The command `export`: a run or a committee as a model file for other programs."""

import argparse
import mmap
from pathlib import Path

from lit_mnist.command_line.named_class import named_class
from lit_mnist.errors import UserError
from lit_mnist.export import model_card
from lit_mnist.export.exporter import Order, export
from lit_mnist.export.facts import Facts
from lit_mnist.export.formats import FORMATS, require
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.runs.folder import Run


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `export_parser.Export`."""
    one = Run(options.run)
    output = options.output or one.file(f"model{FORMATS[options.format].suffix}")
    if output.exists() and not _is_export(output):
        named = "--output " if options.output else ""
        other = "name another" if options.output else "name another file in --output"
        raise UserError(f"{named}{output}: exists and is no export of ours; {other}")
    require(options.format)
    classes = [named_class(name) for name in options.classes]
    trained = TrainedRun.read(one, classes)._replace(own_labels=options.labels)
    facts = Facts.of(one, trained)
    trained.say_unused(facts.own_steps)
    outcome = export(facts, Order(options.format, output, options.input, options.data_dir))
    count, size = len(facts.networks), output.stat().st_size / 1e6
    print(
        f"{output}: {count} network{'s' if count > 1 else ''}, {size:.1f} MB; loaded and compared"
        f" with the run on {outcome.images:,} validation images: the largest"
        f" difference of a probability is {outcome.difference:.1e}"
    )
    print(f"{output.with_name(model_card.NAME)}: what it is, and how to load it")


def _is_export(path: Path) -> bool:
    """Whether a file may be replaced, which only an earlier export may."""
    if not path.is_file() or not path.stat().st_size:  # which cannot be mapped
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"lit-mnist") >= 0  # its metadata, which no format compresses
