"""The command `reproduce`: runs the notebook's six systems; our results beside its own."""

import argparse
import shlex
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lit_mnist import files
from lit_mnist.command_line.arguments import shipped_configs
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import committee, committee_plans, plans
from lit_mnist.commands.plans import Plan
from lit_mnist.errors import UserError
from lit_mnist.models.averages import DEFAULT_AVERAGE
from lit_mnist.reports import notebook_table
from lit_mnist.reports.notebook import SYSTEMS, System
from lit_mnist.runs.config_changes import FREE_OPTIONS, LIMITS


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `parsers.Reproduce`."""
    chosen = [system for system in SYSTEMS if system.name in options.only]
    skipped = [system for system in SYSTEMS if system not in chosen]
    first = plans.first_seed(_spec(chosen[0], options.spec))
    specs = {system.name: _specs(system, options.spec, first, options.seeds) for system in SYSTEMS}
    planned = _planned(chosen, specs)
    clock = Clock(chosen, planned)
    output = options.output or Path(planned[chosen[0].name][0].config["log_dir"]) / "reproduce"
    _check_output(output)
    rows: dict[str, list[Path]] = {}
    trained: set[Path] = set()
    left_out: list[str] = []
    names = f" for {', '.join(system.name for system in chosen)}"
    for system in chosen:
        print(f"{clock.left()}{'' if trained else names}", flush=True)
        runs = planned[system.name]
        _train_and_test(system, _not_again(runs, trained), options.jobs)
        trained |= {plan.run.folder for plan in runs}
        if why := _why_left_out(system, runs):
            left_out.append(why)
        else:
            rows[system.name] = _folders(system, runs)
        clock.finished(system)
        # only now, as a run that was trained afresh may be a member of another system
        rows |= {one.name: _finished(one, specs[one.name]) for one in skipped}
        _write(output, rows, options.spec.typed)
    print(f"the table is {output / notebook_table.TABLE}")
    if left_out:
        raise UserError("; ".join(left_out))


def _planned(
    systems: Sequence[System], specs: Mapping[str, Sequence[RunSpec]]
) -> dict[str, list[Plan]]:
    """Returns the runs of each system; refuses any now, rather than after hours of training."""
    planned = {system.name: list(map(plans.plan, specs[system.name])) for system in systems}
    for system in systems:
        _folders(system, planned[system.name])
    return planned


def _check_output(output: Path) -> None:
    """Checks and creates the folder of the table, to fail now rather than after hours."""
    files.check_output(output, notebook_table.FILES, notebook_table.HEAD.splitlines()[0])
    output.mkdir(parents=True, exist_ok=True)


def _write(output: Path, rows: Mapping[str, list[Path]], typed: Sequence[str]) -> None:
    """Writes the table of the systems that have a row, in the notebook's order."""
    finished = [(one, rows[one.name]) for one in SYSTEMS if rows.get(one.name)]
    notebook_table.write(output, finished, _recipe_options(typed))


def _recipe_options(typed: Sequence[str]) -> str:
    """Formats the typed options that change the training, so that it is not the notebook's."""
    told = {"trainer.min_epochs", "trainer.min_steps", *LIMITS}
    free = ("--fresh", "--seed_everything", *(f"--{one}" for one in {*FREE_OPTIONS} - told))
    options, counts = [], True
    for arg in typed:
        if arg.startswith("--"):  # else it is the value of the option before it
            counts = not arg.startswith(free)
        if counts:
            options.append(arg)
    return shlex.join(options)


def _spec(system: System, users: RunSpec) -> RunSpec:
    """Returns the options of a system; the user's own override its config."""
    return RunSpec(configs=(str(shipped_configs()[system.config]),), typed=users.typed)


def _specs(system: System, users: RunSpec, first: int, seeds: int) -> list[RunSpec]:
    """Returns the runs of a system, one per seed: its members, or as many as the user wants."""
    count = system.members if system.members > 1 else seeds
    return plans.seeded(_spec(system, users), first, count)


def _not_again(planned: Sequence[Plan], trained: Container[Path]) -> list[Plan]:
    """Returns plans that replace no run that this call has trained for an earlier system."""
    kept: list[Plan] = []
    for plan in planned:
        if plan.run.folder in trained:
            plan = replace(plan, spec=_without_fresh(plan.spec), fresh=False)
        kept.append(plan)
    return kept


def _train_and_test(system: System, planned: Sequence[Plan], jobs: int | None) -> None:
    """Trains and tests the runs of a system that are not done yet."""
    planned = list(map(plans.updated, planned))  # an earlier system may have trained shared runs
    committee.train(planned, jobs)
    if system.members > 1:
        committee.test(planned, DEFAULT_AVERAGE)
    else:
        committee.test_each(planned)


def _why_left_out(system: System, planned: Sequence[Plan]) -> str:
    """Tells which run of a system has no valid test, and why; empty if all have one."""
    done = [plans.updated(replace(plan, fresh=False)) for plan in planned]
    whole = [committee_plans.plan(done)] if system.members > 1 else []
    for plan in (*done, *whole):
        if not plan.tested:
            why = plans.why_unrecorded(plan) or plan.untested
            return f"{plan.label}: {why}; the table has no row for {system.name}"
    return ""


def _finished(system: System, specs: Sequence[RunSpec]) -> list[Path]:
    """Returns a system's folders if an earlier call with these options finished it; else none."""
    try:
        planned = [plans.plan(_without_fresh(spec)) for spec in specs]
        if not all(plan.complete and plan.tested for plan in planned):
            return []
        for plan in planned:
            committee.restore_lost(plan)
        if system.members > 1 and not committee_plans.plan(planned).tested:
            return []
    except UserError:  # made with other options, or damaged
        return []
    return _folders(system, planned)


def _without_fresh(spec: RunSpec) -> RunSpec:
    """Leaves out the option that is only for the systems that a call trains."""
    return replace(spec, typed=tuple(arg for arg in spec.typed if arg != "--fresh"))


def _folders(system: System, planned: Sequence[Plan]) -> list[Path]:
    """Returns the runs' folders, followed by the committee's own."""
    folders = [plan.run.folder for plan in planned]
    if system.members == 1:
        return folders
    return [*folders, committee_plans.run_of(planned).folder]


class Clock:
    """Estimates the remaining time, corrected by the durations of finished runs.

    Args:
        systems: The systems to run.
        planned: The runs of each system, by its name.
    """

    def __init__(self, systems: Sequence[System], planned: Mapping[str, Sequence[Plan]]) -> None:
        self.pace, self.began = 1.0, time.perf_counter()
        self.expected: dict[str, float] = {}
        counted: set[str] = set()  # a run shared by systems is trained once
        for system in systems:
            epochs = {
                plan.label: plan.epochs_left
                for plan in planned[system.name]
                if plan.label not in counted
            }
            counted |= epochs.keys()
            self.expected[system.name] = sum(epochs.values()) * system.epoch_s

    def finished(self, system: System) -> None:
        """Notes that a system is done."""
        took, expected = time.perf_counter() - self.began, self.expected.pop(system.name)
        self.began = time.perf_counter()
        if expected > 60:  # in shorter ones, startup outweighs training
            self.pace = took / expected

    def left(self) -> str:
        """Formats the remaining time."""
        seconds = sum(self.expected.values()) * self.pace
        if seconds < 60:
            return "less than a minute left"
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"about {hours} h {minutes:02d} min left"
