"""Common options of `export` and `demo`: one run, the user's classes and labels."""

import argparse

from lit_mnist.command_line.command_parser import CommandParser, path
from lit_mnist.errors import UserError
from lit_mnist.shape import CLASSES


class OneRun(CommandParser):
    """The parser of a command about one run."""

    def add_run(self, what: str) -> None:
        """Adds the options for the run, its classes and labels; `what` describes the run."""
        self.usage = "%(prog)s RUN [options]"
        add = self.add_argument
        add("runs", nargs="*", type=path, metavar="RUN", help=what)
        classes = "your own classes that its checkpoints name, such as my_module.Net"
        add(
            "--model.classes",
            nargs="+",
            action="extend",
            default=[],
            dest="classes",
            metavar="CLASS",
            help=classes,
        )
        labels = "names of the ten classes of your own data"
        add("--labels", nargs=CLASSES, default=[], metavar="LABEL", help=labels)

    def check(self, options: argparse.Namespace) -> None:
        """Turns the named run into its folder.

        Raises:
            UserError: Not exactly one run is given, or two labels are equal.
        """
        if len(options.runs) != 1:
            raise UserError(f"{self.command} takes one run: {self.prog} tb_logs/deep/seed_42")
        (options.run,) = options.runs
        if options.labels and (len(set(options.labels)) < CLASSES or "" in options.labels):
            raise UserError("--labels: give each class a name of its own")
