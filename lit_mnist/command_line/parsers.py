"""The parsers of our own commands: options, defaults, help and errors, without importing torch.

A command is a parser class, here or in a file of its own, and a module of its name, whose `run`
gets the parsed options.
"""

import argparse
from pathlib import Path

from lit_mnist.command_line.audit_parser import Audit
from lit_mnist.command_line.command_parser import CommandParser, path, positive
from lit_mnist.command_line.committee_parser import Committee
from lit_mnist.command_line.demo_parser import Demo
from lit_mnist.command_line.export_parser import Export
from lit_mnist.command_line.sweep_parser import Sweep
from lit_mnist.errors import UserError
from lit_mnist.reports.notebook import SYSTEMS

# For each value of `runs --sort` but the name: the field of a run, and whether the largest is first
SORTS: dict[str, tuple[str, bool]] = {
    "state": ("state", False),
    "seed": ("seed", False),
    "epoch": ("epoch", True),
    "val_acc": ("best_val_acc", True),
    "test_acc": ("test_acc", True),
    "time": ("seconds", True),
}


class Reproduce(CommandParser):
    """The options of `reproduce`."""

    command, fit = "reproduce", True
    summary = "run the notebook's six systems and compare our results with its own"
    details = (
        "Each has the notebook's settings and epochs. Finished runs in tb_logs are reused, so the"
        " same command continues after an interruption. All six take hours on two cores; the"
        " remaining time is printed at the start and after each system."
    )

    def __init__(self) -> None:
        super().__init__()
        add = self.add_argument
        names = [system.name for system in SYSTEMS]
        only = f"systems to run (all): {', '.join(names)}"
        add("--only", nargs="+", choices=names, default=names, metavar="NAME", help=only)
        seeds = (
            "runs per single system, with consecutive seeds from --seed_everything (%(default)s);"
            " for several, the table has mean and standard deviation"
        )
        add("--seeds", type=positive, default=1, metavar="N", help=seeds)
        self.add_jobs()
        output = "folder for table and pictures (reproduce in --log_dir)"
        add("--output", type=path, metavar="DIR", help=output)

    def check(self, options: argparse.Namespace) -> None:
        """Refuses options that each system sets itself."""
        spec = options.spec
        for option, present in (("--config", spec.configs), ("--name", "--name" in spec.names)):
            if present:
                raise UserError(f"{option}: reproduce has its own; use fit for another run")


class Compare(CommandParser):
    """The options of `compare`."""

    command = "compare"
    summary = "test whether tested runs differ by more than chance"
    details = (
        "Two runs are compared by McNemar's exact test on the test images that only one of them"
        " classifies correctly; of more runs, all pairs, with Holm's correction. A system's"
        " folder, such as tb_logs/deep, stands for the runs of all its seeds; the mean accuracies"
        " of systems with several seeds are compared by Welch's test."
    )

    def __init__(self) -> None:
        super().__init__()
        self.usage = "%(prog)s RUN RUN [RUN ...]"
        run = "a run's folder, such as tb_logs/deep/seed_42, or a predictions.csv"
        self.add_argument("runs", nargs="*", type=path, metavar="RUN", help=run)

    def check(self, options: argparse.Namespace) -> None:
        """Refuses fewer than two runs."""
        if len(options.runs) < 2:
            example = f"{self.prog} tb_logs/deep/seed_42 tb_logs/deep/seed_43"
            raise UserError(f"compare takes two runs or more, such as {example}")


class Report(CommandParser):
    """The options of `report`."""

    command = "report"
    summary = "write one HTML file about a run, a committee, or several side by side"
    details = (
        "It shows scores with their intervals, curves, the confusion matrix with the images behind"
        " each cell, errors by confidence, calibration, the config and the ledger. The file is"
        " self-contained and works offline."
    )

    def __init__(self) -> None:
        super().__init__()
        run = "a run's folder, such as tb_logs/deep/seed_42; also a committee's, or a sweep's"
        self.add_argument("runs", nargs="+", type=path, metavar="RUN", help=run)
        output = "the file to write (report.html in the first run's folder)"
        self.add_argument("--output", type=path, metavar="FILE", help=output)


class Runs(CommandParser):
    """The options of `runs`."""

    command = "runs"
    summary = "list all runs under a folder: state, scores, time, what differs"
    details = (
        "No checkpoint is read, so it is fast, and works while runs are training. A killed run is"
        " listed as interrupted."
    )

    def __init__(self) -> None:
        super().__init__()
        add = self.add_argument
        folder = "the folder of all runs (%(default)s)"
        add("folder", nargs="?", type=path, default=Path("tb_logs"), metavar="FOLDER", help=folder)
        add("--json", action="store_true", help="print JSON, one object per run")
        keys = ("name", *SORTS)
        order = f"{', '.join(keys)} (%(default)s); scores, epochs and times: highest first"
        add("--sort", choices=keys, default="name", metavar="KEY", help=order)


class Doctor(CommandParser):
    """The options of `doctor`."""

    command, fit = "doctor", True
    summary = "check whether this machine is ready for a run; each problem comes with a remedy"
    details = (
        "Give it the options of the fit that you plan to run: data, log folder, devices. Nothing"
        " is downloaded or trained. The exit status is 2 if there is an error."
    )

    def __init__(self) -> None:
        super().__init__()
        self.add_argument("--json", action="store_true", help="print the findings as JSON")


PARSERS: dict[str, type[CommandParser]] = {
    kind.command: kind
    for kind in (Committee, Reproduce, Sweep, Compare, Report, Export, Runs, Demo, Doctor, Audit)
}
