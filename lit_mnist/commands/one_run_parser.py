"""What the parsers of `export` and `demo` share: one run, and what the user calls things in it."""

import argparse
from pathlib import Path

from lit_mnist.commands.command_parser import CommandParser
from lit_mnist.errors import UserError
from lit_mnist.shape import CLASSES


class OneRun(CommandParser):
    """A command about one run."""

    def add_run(self, what: str) -> None:
        """Adds the run and how its classes are known; `what` may be given for it."""
        self.usage = "%(prog)s RUN [options]"
        add = self.add_argument
        add("runs", nargs="*", type=Path, metavar="RUN", help=what)
        classes = "classes of your own that its checkpoints name, as my_module.Net"
        add("--model.classes", nargs="+", default=[], dest="classes", metavar="CLASS", help=classes)
        labels = "what the ten classes are called, if the data are your own"
        add("--labels", nargs=CLASSES, default=[], metavar="LABEL", help=labels)

    def check(self, options: argparse.Namespace) -> None:
        """Settles the run.

        Raises:
            UserError: There is not one, or two classes are called the same.
        """
        if len(options.runs) != 1:
            raise UserError(f"{self.command} takes one run: {self.prog} tb_logs/deep/seed_42")
        (options.run,) = options.runs
        if options.labels and (len(set(options.labels)) < CLASSES or "" in options.labels):
            raise UserError("--labels: give each class a name of its own")
