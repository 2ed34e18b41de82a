"""The parsers of our own commands: options, defaults, help and errors, without importing torch.

A command is a parser class here and a module of its name, whose `run` gets the parsed options.
"""

import argparse
from pathlib import Path
from typing import get_args

from lit_mnist.commands.audit_parser import Audit
from lit_mnist.commands.command_parser import CommandParser, path, positive, positive_or_auto
from lit_mnist.commands.demo_parser import Demo
from lit_mnist.commands.doctor_parser import Doctor
from lit_mnist.commands.export_parser import Export
from lit_mnist.commands.sweep_parser import Sweep
from lit_mnist.errors import UserError
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.reports.notebook import SYSTEMS


def _add_jobs(parser: CommandParser) -> None:
    jobs = (
        "runs at once (%(default)s: one per GPU, or else one per core, as memory allows), each with"
        " a GPU or an equal share of the cores; 1: one after another on all cores"
    )
    add = parser.add_argument
    add("--jobs", type=positive_or_auto, default="auto", metavar="N", help=jobs)


class Committee(CommandParser):
    """The options of `committee`."""

    command, fit = "committee", True
    summary = "train several networks of one kind and test their average"
    details = (
        "Each member is an ordinary run in tb_logs/NAME/seed_<k>/; the report is in"
        " tb_logs/NAME/committee_N/. Members differ only in their seed. After an interruption, the"
        " same command trains only what is missing. With --folds K, the training images are split"
        " into K parts; each member is validated on one of them and trained on the others."
        " out_of_fold.csv then holds, for every training image, the predictions of the members that"
        " were not trained on it, and the report their score. Such members are not tested one by"
        " one."
    )

    def __init__(self) -> None:
        super().__init__()
        add = self.add_argument
        members = (
            "number of members (5); with --folds, number per part (1). Seeds count up from"
            " --seed_everything"
        )
        add("--members", type=positive, metavar="N", help=members)
        folds = (
            "split the training images into K parts that take turns to validate (a single split)"
        )
        add("--folds", type=positive, metavar="K", help=folds)
        average = f"what is averaged: {', '.join(get_args(AVERAGES))} (%(default)s)"
        add("--average", choices=get_args(AVERAGES), default=DEFAULT_AVERAGE, help=average)
        _add_jobs(self)
        member = (
            "train only member K, counted from 0: for a SLURM array, or several machines that share"
            " tb_logs; a last call without it evaluates the committee"
        )
        add("--member", type=int, metavar="K", help=member)
        skip = "do not read the test set; print the committee's validation score instead"
        add("--skip_test", action="store_true", help=skip)

    def check(self, options: argparse.Namespace) -> None:
        """Refuses options that make no valid committee."""
        folds, member, spec = options.folds, options.member, options.spec
        options.members = options.members or (1 if folds else 5)
        count = options.members * (folds or 1)
        if folds == 1:
            raise UserError("--folds 1: nothing would be left to train on; take 2 or more")
        if count < 2:
            raise UserError(f"--members {count}: a committee has two or more; for one, use fit")
        if member is not None and not 0 <= member < count:
            raise UserError(f"--member {member}: take 0 to {count - 1}, or set more --members")
        folded = sorted(spec.names & {"--data.folds", "--data.fold"})
        if folds and folded:
            raise UserError(f"{folded[0]}: --folds {folds} sets it for each member; leave it out")
        if not spec.names_model:
            self.refuse_unknown(spec)
            raise UserError(
                "committee: no model is named; give its members' config:"
                f" {self.prog} --config deep --members {count}"
            )


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
        _add_jobs(self)
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
        keys = ("name", "state", "seed", "epoch", "val_acc", "test_acc", "time")
        order = f"{', '.join(keys)} (%(default)s); scores, epochs and times: highest first"
        add("--sort", choices=keys, default="name", metavar="KEY", help=order)


PARSERS: dict[str, type[CommandParser]] = {
    kind.command: kind
    for kind in (
        *(Committee, Reproduce, Sweep, Compare, Report),
        *(Export, Runs, Demo, Doctor, Audit),
    )
}
