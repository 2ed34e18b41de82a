"""The command `export`: a run or a committee as a model file for other programs."""

import argparse
from importlib import import_module

from lit_mnist.errors import UserError
from lit_mnist.export import model_card
from lit_mnist.export.exporter import Order, export
from lit_mnist.export.facts import Facts
from lit_mnist.export.formats import FORMATS, require
from lit_mnist.export.trained_run import TrainedRun
from lit_mnist.runs.folder import Run


def run(options: argparse.Namespace) -> None:
    """Runs the command with options that `export_parser.Export` has parsed."""
    require(options.format)
    one = Run(options.run)
    classes = [named_class(name) for name in options.classes]
    facts = Facts.of(one, TrainedRun.read(one, classes))
    output = options.output or one.file(f"model{FORMATS[options.format].suffix}")
    outcome = export(facts, Order(options.format, output, options.input, options.data_dir))
    count, size = len(facts.networks), output.stat().st_size / 1e6
    print(
        f"{output}: {count} network{'s' if count > 1 else ''}, {size:.1f} MB; loaded and compared"
        f" with the run on {outcome.images:,} validation images: probabilities differ by"
        f" {outcome.difference:.1g} at most"
    )
    print(f"{output.with_name(model_card.NAME)}: what it is, and how to load it")


def named_class(name: str) -> type:
    """Imports a class that the user names.

    Raises:
        UserError: There is none of that name.
    """
    module, _, last = name.rpartition(".")
    try:
        found = getattr(import_module(module), last)
    except Exception as error:  # a user's module may raise anything
        why = " ".join(str(error).split())
        raise UserError(
            f"--model.classes {name}: cannot be imported ({why:.150}); write it as my_module.Net"
        ) from error
    if not isinstance(found, type):
        raise UserError(f"--model.classes {name}: is no class; write it as my_module.Net")
    return found
