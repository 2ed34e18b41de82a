"""The options of `committee`, without torch."""

import argparse
from typing import get_args

from lit_mnist.command_line.command_parser import CommandParser, positive
from lit_mnist.errors import UserError
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE


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
        self.add_jobs()
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
