"""The command `reproduce`: the notebook's six systems, and our figures beside its own."""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lit_mnist.commands import committee, plans
from lit_mnist.errors import UserError
from lit_mnist.reports.notebook import SYSTEMS, System
from lit_mnist.reports.notebook_table import write

Runs = list[list[str]]  # the options of `fit` for each run of a system


def run(argv: Sequence[str]) -> None:
    """Runs the command; `argv` begins with its name."""
    options, args = _parse(argv)
    chosen = [system for system in SYSTEMS if system.name in options.only]
    first = plans.plan(_of(chosen[0], args)).seed
    runs = {system.name: _runs(system, args, first, options.seeds) for system in SYSTEMS}
    planned = {system.name: [plans.plan(args) for args in runs[system.name]] for system in chosen}
    clock = Clock(chosen, planned)
    _make(options.output)
    print(f"{clock.left()} for {', '.join(system.name for system in chosen)}", flush=True)
    others = [system for system in SYSTEMS if system not in chosen]
    rows = {system.name: _finished(system, runs[system.name]) for system in others}
    for system in chosen:
        _finish(system, runs[system.name], options.jobs)
        rows[system.name] = _folders(system, planned[system.name])
        clock.finished(system)
        done = [(each, rows[each.name]) for each in SYSTEMS if rows.get(each.name)]
        write(options.output, done)
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
    folder = Path(__file__).parents[2] / "configs"
    if not folder.is_dir():
        raise UserError(f"{folder} is missing; run reproduce from a clone of the project")
    return ["--config", str(folder / f"{system.config}.yaml"), *args]


def _runs(system: System, args: Sequence[str], first: int, seeds: int) -> Runs:
    """Gives the runs of a system, a seed each: its members, or as many as the user wants."""
    count = system.members if system.members > 1 else seeds
    own = _of(system, args)
    return [committee.with_seed(own, first + place) for place in range(count)]


def _finish(system: System, runs: Runs, jobs: int) -> None:
    """Trains and tests what is missing."""
    committee.train(runs, jobs)
    if system.members > 1:
        committee.test(runs, None)
        return
    for args in runs:
        if not plans.plan(args).tested:
            plans.test(args)


def _finished(system: System, runs: Runs) -> list[Path]:
    """Gives the folders of what an earlier call with these options has finished; else none."""
    try:
        planned = [plans.plan(args) for args in runs]
        if not all(plan.complete and plan.tested for plan in planned):
            return []
        if system.members > 1 and not plans.committee(planned, None).tested:
            return []
    except UserError:  # with other options, or damaged: not what was asked for
        return []
    return _folders(system, planned)


def _folders(system: System, planned: Sequence[plans.Plan]) -> list[Path]:
    """Gives the runs' folders, a committee's own last."""
    folders = [plan.run.folder for plan in planned]
    own = folders[0].parent / f"committee_{system.members}"
    return [*folders, own] if system.members > 1 else folders


class Clock:
    """Estimates the time that is left, and corrects itself by what the finished runs took.

    Args:
        systems: What is to be run.
        planned: By system, its runs.
    """

    def __init__(
        self, systems: Sequence[System], planned: Mapping[str, Sequence[plans.Plan]]
    ) -> None:
        self.pace, self.began = 1.0, time.perf_counter()
        self.expected: dict[str, float] = {}
        seen = set()
        for system in systems:
            seconds = 0.0
            for plan in planned[system.name]:
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
