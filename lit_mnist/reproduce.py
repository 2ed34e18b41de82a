"""The command `reproduce`: the notebook's six systems, and our figures beside its own."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from lit_mnist import committee, plans
from lit_mnist.errors import UserError
from lit_mnist.tutorial import SYSTEMS, System
from lit_mnist.tutorial_report import write

Runs = list[list[str]]  # the options of `fit` for each run of a system


def run(argv: Sequence[str]) -> None:
    """Runs the command; `argv` begins with its name."""
    options, args = _parse(argv)
    chosen = [system for system in SYSTEMS if system.name in options.only]
    first = plans.plan(_of(chosen[0], args)).seed
    runs: dict[str, Runs] = {}
    for system in SYSTEMS:
        count = system.members if system.members > 1 else options.seeds
        runs[system.name] = [
            committee.with_seed(_of(system, args), first + place) for place in range(count)
        ]
    clock = Clock(chosen, runs)
    _make(options.output)
    print(f"{clock.left()} for {', '.join(system.name for system in chosen)}", flush=True)
    done = [
        system
        for system in SYSTEMS
        if system not in chosen and _finished(system, runs[system.name])
    ]
    for system in chosen:
        _finish(system, runs[system.name], options.jobs)
        done.append(system)
        clock.finished(system)
        rows = [(each, _folders(each, runs[each.name])) for each in SYSTEMS if each in done]
        write(options.output, rows)
        if system is not chosen[-1]:
            print(clock.left(), flush=True)
    print(f"the table is {options.output / 'tutorial.md'}")


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    names = [system.name for system in SYSTEMS]
    parser = committee.Options(prog="reproduce", add_help=False, allow_abbrev=False)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", type=committee.positive, default=1)
    parser.add_argument("--jobs", type=committee.positive, default=1)
    parser.add_argument("--output", type=Path, default=Path("results"))
    options, args = parser.parse_known_args(argv[1:])
    for option in ("--config", "-c", "--name"):
        if any(arg.partition("=")[0] == option for arg in args):
            raise UserError(f"{option}: reproduce has its own; use fit for another run")
    return options, args


def _make(folder: Path) -> None:
    """Makes the folder for the table: better to fail now than after hours."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"--output {folder}: {error.strerror}; name another folder"
        raise UserError(said) from error


def _of(system: System, args: Sequence[str]) -> list[str]:
    """Gives the options of `fit` for a system; the user's own come last, so that they win."""
    folder = Path(__file__).parent.parent / "configs"
    if not folder.is_dir():
        raise UserError(f"{folder} is missing; run reproduce from a clone of the project")
    return ["--config", str(folder / f"{system.config}.yaml"), *args]


def _finish(system: System, runs: Runs, jobs: int) -> None:
    """Trains and tests what is missing."""
    committee.train(runs, jobs)
    if system.members > 1:
        committee.test(runs, None)
        return
    for args in runs:
        if not plans.plan(args).tested:
            plans.test(args)


def _finished(system: System, runs: Runs) -> bool:
    """Whether all runs are trained and tested, by an earlier call with these options."""
    try:
        planned = [plans.plan(args) for args in runs]
        if not all(plan.complete and plan.tested for plan in planned):
            return False
        return system.members == 1 or plans.committee(planned, None).tested
    except UserError:  # with other options, or damaged: not what was asked for
        return False


def _folders(system: System, runs: Runs) -> list[Path]:
    """Gives the runs' folders, a committee's own last."""
    folders = [plans.plan(args).run.folder for args in runs]
    own = folders[0].parent / f"committee_{system.members}"
    return [*folders, own] if system.members > 1 else folders


class Clock:
    """Estimates the time that is left, and corrects itself by what the finished runs took.

    Args:
        systems: What is to be run.
        runs: By system, the options of `fit` for each of its runs.
    """

    def __init__(self, systems: Sequence[System], runs: dict[str, Runs]) -> None:
        self.pace, self.began = 1.0, time.perf_counter()
        self.expected: dict[str, float] = {}
        seen = set()
        for system in systems:
            seconds = 0.0
            for args in runs[system.name]:
                plan = plans.plan(args)
                if plan.label not in seen:
                    seconds += plan.epochs_left * system.epoch_s
                seen.add(plan.label)
            self.expected[system.name] = seconds

    def finished(self, system: System) -> None:
        """Notes that a system is done."""
        took, expected = time.perf_counter() - self.began, self.expected.pop(system.name)
        self.began = time.perf_counter()
        if expected > 60:  # shorter ones say more of the start than of the training
            self.pace = took / expected

    def left(self) -> str:
        """Says how long the rest takes."""
        seconds = sum(self.expected.values()) * self.pace
        if seconds < 60:
            return "less than a minute left"
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"about {hours} h {minutes:02d} min left"
