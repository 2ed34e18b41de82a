"""The options of `sweep`, without torch."""

import argparse
import textwrap

from lit_mnist.command_line.command_parser import CommandParser, path, positive
from lit_mnist.errors import UserError

SPACE = """
the space, a YAML file: options as for fit, and the values to search

  model.lr: {log: [0.001, 0.1]}           log-uniform
  model.hidden: {range: [32, 256]}        uniform; integers, as both ends are
  data.shear: {range: [0, 20], step: 5}   in steps
  data.batch_size: [64, 128, 256]         one of these
"""


class Sweep(CommandParser):
    """The options of `sweep`."""

    command, fit = "sweep", True
    summary = "search options for the highest validation accuracy, with Optuna"
    details = (
        "Each trial is an ordinary run in tb_logs/NAME/sweep/trial_<k>/; one that does worse than"
        " most at the same epoch is ended early. The test set is never read. The same command"
        " resumes the sweep after an interruption; started several times at once, the processes"
        " share it. The best trial's config is NAME_best.yaml in that folder, ready for fit; report"
        " shows the folder. Needs pip install -e '.[sweep]'."
    )

    def __init__(self) -> None:
        super().__init__()
        self.usage = "%(prog)s --config CONFIG --space FILE [--trials N] [options]"
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.description = textwrap.fill(str(self.description), 78)
        self.epilog = f"{SPACE.strip()}\n\n{self.epilog}"
        add = self.add_argument
        add("--space", type=path, metavar="FILE", help="the options to search; see below")
        trials = "trials in total, with those of other processes and earlier calls (%(default)s)"
        add("--trials", type=positive, default=30, metavar="N", help=trials)
        spared = "epochs before a trial may be ended early (%(default)s)"
        add("--spare_epochs", type=positive, default=2, metavar="N", help=spared)
        storage = (
            "SQLAlchemy URL of the database of the search, such as"
            " postgresql+psycopg://user@host/db for several machines, after pip install"
            " 'psycopg[binary]' (study.db in the sweep's folder)"
        )
        add("--storage", metavar="URL", help=storage)

    def check(self, options: argparse.Namespace) -> None:
        """Refuses a sweep without a space."""
        if options.space is None:
            self.refuse_unknown(options.spec)
            raise UserError(f"sweep: name what is searched: --space FILE; see {self.prog} --help")
