"""The options of `sweep`, without torch."""

import argparse
from pathlib import Path

from lit_mnist.commands.command_parser import CommandParser, positive
from lit_mnist.errors import UserError

SPACE = """
the space, a YAML file: an option a line, as fit takes it, and what to search

  model.lr: {log: [0.001, 0.1]}           a number between two, by its logarithm
  model.hidden: {range: [32, 256]}        evenly; whole numbers, as both ends are
  data.shear: {range: [0, 20], step: 5}   in steps
  data.batch_size: [64, 128, 256]         one of these
"""


class Sweep(CommandParser):
    """The options of `sweep`."""

    command, fit = "sweep", True
    summary = "search options for the highest validation accuracy, with Optuna"
    details = (
        "Each trial is an ordinary run in tb_logs/NAME/sweep/trial_<k>/; one that does worse than"
        " most at the same epoch is ended early. The test set is never opened. The same command"
        " goes on after a stop, and takes part in the search when it runs several times at once."
        " The best trial's config is NAME_best.yaml in that folder, ready for fit; report shows"
        " the folder. Needs pip install -e '.[sweep]'."
    )

    def __init__(self) -> None:
        super().__init__()
        self.usage = "%(prog)s --config CONFIG --space FILE [--trials N] [options]"
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.epilog = f"{SPACE.strip()}\n\n{self.epilog}"
        add = self.add_argument
        add("--space", type=Path, metavar="FILE", help="the options to search; see below")
        trials = "trials in all, those of other processes and earlier calls included (%(default)s)"
        add("--trials", type=positive, default=30, metavar="N", help=trials)
        spared = "epochs before a trial may be ended early (%(default)s)"
        add("--spare_epochs", type=positive, default=2, metavar="N", help=spared)
        storage = (
            "database that holds the search, as SQLAlchemy names it, such as"
            " postgresql+psycopg://user@host/db for many machines, after pip install"
            " 'psycopg[binary]' (study.db in the sweep's folder)"
        )
        add("--storage", metavar="URL", help=storage)

    def check(self, options: argparse.Namespace) -> None:
        """Refuses a sweep without a space, and one with `--fresh`."""
        if options.space is None:
            raise UserError(f"sweep: name what is searched: --space FILE; see {self.prog} --help")
        if any(arg.partition("=")[0] == "--fresh" for arg in options.spec.typed):
            raise UserError("--fresh: a sweep goes on; choose another --name for a new one")
