"""The command `committee`: trains the members that are missing, then tests their average."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lit_mnist.commands import plans
from lit_mnist.commands.jobs import Job, Jobs
from lit_mnist.errors import UserError


class Options(argparse.ArgumentParser):
    """A parser that reports errors as the rest of the program does."""

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message}; see python cli.py {self.prog} --help")


def positive(text: str) -> int:
    """Reads an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no integer of at least 1")
    return int(text)


def run(argv: Sequence[str]) -> None:
    """Runs the command; `argv` begins with its name."""
    options, args = _parse(argv)
    first = plans.plan(args).seed
    seeds = [first + place for place in range(options.members)]
    chosen = seeds if options.member is None else [seeds[options.member]]
    train([with_seed(args, seed) for seed in chosen], options.jobs)
    if options.member is None:
        test([with_seed(args, seed) for seed in seeds], options.average)


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = Options(prog="committee", add_help=False, allow_abbrev=False)
    parser.add_argument("--members", type=positive, default=5)
    parser.add_argument("--average", choices=("probabilities", "logits", "vote"))
    parser.add_argument("--jobs", type=positive, default=1)
    parser.add_argument("--member", type=int)
    options, args = parser.parse_known_args(argv[1:])
    if options.members < 2:
        raise UserError("--members 1: a committee has two members or more; for one, use fit")
    if options.member is not None and not 0 <= options.member < options.members:
        raise UserError(f"--member {options.member}: take 0 to {options.members - 1}")
    return options, args


def with_seed(args: Sequence[str], seed: int) -> list[str]:
    """Gives the options of `fit` for the run with this seed."""
    return [*args, "--seed_everything", str(seed)]


def train(runs: Sequence[Sequence[str]], jobs: int) -> None:
    """Trains the runs that are not complete.

    Args:
        runs: The options of `fit` for each.
        jobs: How many at a time.

    Raises:
        UserError: An option is wrong, or a run failed; the others are trained all the same.
    """
    planned = [plans.plan(args) for args in runs]
    todo = [
        Job(plan.label, ["fit", *args])
        for plan, args in zip(planned, runs, strict=True)
        if not plan.complete
    ]
    for plan in planned:
        if plan.complete:
            print(f"{plan.run.folder} is complete", flush=True)  # before what the jobs print
    failed = Jobs(min(jobs, len(todo) or 1)).run(todo)
    if failed:
        names = ", ".join(job.name for job in failed)
        raise UserError(f"{names}: not trained, for the reason above; the same command goes on")


def test(runs: Sequence[Sequence[str]], average: str | None) -> Path:
    """Tests each run, if its weights have not been tested, and then their committee.

    Args:
        runs: The options of `fit` for each.
        average: How the committee averages; None for its default.

    Returns:
        The committee's folder.
    """
    planned = [plans.plan(args) for args in runs]
    for plan, args in zip(planned, runs, strict=True):
        if not plan.tested:
            plans.test(args)
    return plans.test_committee(planned, average)
