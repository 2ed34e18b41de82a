"""The options of `audit`, without torch."""

import argparse

from lit_mnist.command_line.command_parser import CommandParser, path
from lit_mnist.errors import UserError


class Audit(CommandParser):
    """The options of `audit`."""

    command = "audit"
    summary = "show the training images whose labels a committee of folds contradicts"
    details = (
        "It reads out_of_fold.csv, which `committee --folds K` writes, with or without --skip_test,"
        " and writes audit.csv, the surest first: those whose prediction is likelier than their"
        " label by most; and audit.png, with the first 50. The data stay unchanged."
    )

    def __init__(self) -> None:
        super().__init__()
        self.usage = "%(prog)s RUN [--data_dir DIR] [--output DIR]"
        add = self.add_argument
        run = "the folder of a committee of folds, such as tb_logs/fast/committee_5_folds_5"
        add("runs", nargs="*", type=path, metavar="RUN", help=run)
        add("--data_dir", type=path, metavar="DIR", help="folder of the data (the run's)")
        add("--output", type=path, metavar="DIR", help="folder to write to (the run's)")

    def check(self, options: argparse.Namespace) -> None:
        """Turns the named run into its folder.

        Raises:
            UserError: Not exactly one run is given.
        """
        if len(options.runs) != 1:
            raise UserError(f"audit takes one run: {self.prog} tb_logs/fast/committee_5_folds_5")
        (options.run,) = options.runs
