"""The command `committee`: trains missing members with `fit`, then tests them and their average.

How the average is computed is in `models/averaging.py`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import committee_plans, plans
from lit_mnist.commands.jobs import Job, Jobs, refuse_of_script
from lit_mnist.commands.jobs_at_once import jobs_at_once
from lit_mnist.commands.plans import Plan
from lit_mnist.errors import UserError
from lit_mnist.models.averages import AVERAGES
from lit_mnist.runs.restored import restore
from lit_mnist.runs.resume import newest


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `committee_parser.Committee`."""
    specs = member_specs(options.spec, options.members, options.folds)
    committee_plans.check_member(specs[0])
    if options.member is not None:
        specs = [specs[options.member]]
    members = [plans.plan(spec) for spec in specs]
    if options.member is None:
        committee_plans.run_of(members)  # which may refuse: now rather than after the training
    train(members, options.jobs)
    if options.member is not None:
        return
    if options.skip_test:
        committee_plans.validate(members, options.average)
    elif options.folds:  # members are not tested one by one, so the test set is read once
        committee_plans.test(members, options.average)
    else:
        test(members, options.average)


def member_specs(spec: RunSpec, members: int, folds: int | None) -> list[RunSpec]:
    """Returns the runs of a committee: consecutive seeds and, with folds, consecutive folds.

    Args:
        spec: Their common options, with the first member's seed.
        members: Number of members; with folds, number per fold.
        folds: Number of folds of the training images; None: the notebook's split for all members.

    Raises:
        UserError: As for `plans.seeded`.
    """
    specs = plans.seeded(spec, plans.first_seed(spec), members * (folds or 1))
    if folds is None:
        return specs
    return [
        one.with_settings({"data.folds": folds, "data.fold": place % folds})
        for place, one in enumerate(specs)
    ]


def train(planned: Sequence[Plan], jobs: int | None) -> None:
    """Trains the runs that are not complete.

    Args:
        planned: The runs.
        jobs: How many run at a time; None for as many as suit the machine.

    Raises:
        UserError: A run failed; raised after all others are trained. Or an option names what the
            processes of the runs do not know; raised before any is trained.
    """
    refuse_of_script(plan.config for plan in planned if not plan.complete)
    for plan in planned:
        if plan.complete:
            print(f"{plan.run.folder} is complete", flush=True)  # before what the jobs print
            restore_lost(plan)
    todo = [Job(plan.label, plan.spec) for plan in planned if not plan.complete]
    if jobs is None:
        jobs = jobs_at_once([job.spec for job in todo])
        if jobs > 1:
            print(
                f"{jobs} runs at a time, which is faster; --jobs 1 trains one after another on all"
                " threads, with different rounding in the last digits",
                flush=True,
            )
    failed = Jobs(min(jobs, len(todo) or 1)).run(todo)
    if failed:
        names = ", ".join(job.name for job in failed)
        raise UserError(f"{names}: not trained, see the error above; the same command continues")


def restore_lost(plan: Plan) -> None:
    """Writes the results of a complete run again if the file was lost, as `fit` would."""
    if "name" not in plan.run.results():
        restore(plan.run, plan.config, newest(plan.run)[0])


def test(planned: Sequence[Plan], average: AVERAGES) -> Path:
    """Tests each trained run whose weights have not been tested, and then their committee.

    Args:
        planned: The runs.
        average: How the committee averages.

    Returns:
        The committee's folder.
    """
    test_each(planned)
    return committee_plans.test(planned, average)


def test_each(planned: Sequence[Plan]) -> None:
    """Tests each trained run whose weights have not been tested."""
    for plan in map(plans.updated, planned):
        if not plan.tested:
            plans.test(plan)
