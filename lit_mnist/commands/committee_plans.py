"""The state of a committee, before a command does anything: its members, and if it is tested."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_mnist import files
from lit_mnist.command_line import no_effect
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import plans, run_cli
from lit_mnist.commands.plans import Plan
from lit_mnist.commands.resolved_run import resolve
from lit_mnist.data.datasets import DATASETS
from lit_mnist.errors import UserError
from lit_mnist.messages import warn
from lit_mnist.models import evaluation_hooks
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.reports import out_of_fold
from lit_mnist.reports.committee_table import PICTURES, REPORT, markdown
from lit_mnist.runs import best_score, same_members
from lit_mnist.runs.folder import Run
from lit_mnist.training.swapped_weights import BY_CALLBACK

# The members' options of the trainer that also hold for the committee's own test
_OF_TRAINER = ("accelerator", "logger", "enable_progress_bar")


def check_member(spec: RunSpec) -> None:
    """Refuses, before the training, a member whose module or images no committee can use.

    More folds than there are images, for example. Images that are not on disk are left to the
    training, which downloads them.

    Raises:
        UserError: Naming the class, the option, or the file.
    """
    member = resolve(spec)
    no_effect.check(member.args, member.config["fit"])
    evaluation_hooks.refuse_of_batches(type(member.model))
    data = member.datamodule
    dataset = DATASETS[data.dataset]
    folder = dataset.folder(data.data_dir)
    if all((folder / name).is_file() for name in dataset.files["train"]):
        data.setup("fit")


def plan(members: Sequence[Plan], average: AVERAGES = DEFAULT_AVERAGE) -> Plan:
    """Describes the committee of trained runs; its data options and name are those of the first."""
    config, paths = members[0].config, [one.run.evaluated()[0] for one in members]
    return Plan(_spec(members, paths, average), run_of(members), config, complete=True)


def _spec(members: Sequence[Plan], paths: Sequence[Path], average: AVERAGES) -> RunSpec:
    """Returns a committee's options: the first member's, without those that each has its own."""
    config = members[0].config
    several = len({one.config["data"]["fold"] for one in members}) > 1  # of folds
    per_member = ("images", "layout", *(["fold"] if several else []))
    data = {key: value for key, value in config["data"].items() if key not in per_member}
    trainer = {key: config["trainer"][key] for key in _OF_TRAINER}
    classes = list(dict.fromkeys(_classes(config["model"])))  # that the checkpoints may name
    return RunSpec(
        settings={
            "name": config["name"],
            "log_dir": config["log_dir"],
            "model": "EnsembleModule",
            "model.checkpoints": [str(path) for path in paths],
            "model.average": average,
            **({"model.classes": classes} if classes else {}),
            **{f"data.{key}": value for key, value in data.items()},
            **{f"trainer.{key}": value for key, value in trainer.items() if value is not None},
        }
    )


def run_of(members: Sequence[Plan]) -> Run:
    """Returns the folder of a committee.

    Raises:
        UserError: It holds the results of other members.
    """
    config = members[0].config
    folds = {one.config["data"]["fold"] for one in members}
    part = config["data"]["folds"], folds.pop() if len(folds) == 1 else None
    run = Run.of_committee(Path(config["log_dir"]), config["name"], len(members), *part)
    same_members.check(run, [one.run.best for one in members])
    return run


def test(members: Sequence[Plan], average: AVERAGES) -> Path:
    """Tests the average of trained runs, unless exactly these weights have been tested before.

    Returns:
        The committee's folder.
    """
    _say_which(members)
    _say_otherwise(members)
    planned = plan(members, average)
    if planned.tested:
        _restore_lost(planned)
        print(f"{planned.run.folder} is tested: see {REPORT} in it")
        _say_lost(planned.run)
    else:
        plans.test(planned)
    return planned.run.folder


def _restore_lost(planned: Plan) -> None:
    """Writes lost or damaged files of a tested committee again, without reading the test set."""
    run = planned.run
    of_folds = planned.config["data"]["folds"] and "data.fold" not in planned.spec.settings
    if of_folds and not _has_out_of_fold(run):
        run_cli.run(planned.spec.argv("validate"))
    if not files.is_file(run.file(REPORT)):
        files.write_text(run.file(REPORT), markdown(run.results()))


def _say_lost(run: Run) -> None:
    """Tells which files of a tested committee are gone that only another test writes."""
    names = (run.votes.name, *PICTURES.values(), "curves.png")
    if lost := [name for name in names if not run.file(name).exists()]:
        warn(
            f"{run.folder}: {', '.join(lost)} {'is' if len(lost) == 1 else 'are'} gone; remove"
            f" its {run.predictions.name}, and the same command reads the test set again and"
            " writes all"
        )


def _has_out_of_fold(run: Run) -> bool:
    try:
        out_of_fold.read(run)
    except UserError:
        return False
    return out_of_fold.KEY in run.results()


def validate(members: Sequence[Plan], average: AVERAGES) -> None:
    """Scores the average of trained runs on the images that they have held out of training."""
    _say_which(members)
    run_cli.run(plan(members, average).spec.argv("validate"))


def _say_which(members: Sequence[Plan]) -> None:
    """Tells which members have other weights than those of their best epoch."""
    for one in members:
        if note := one.run.evaluated()[1] or best_score.unsaved(one.run):
            warn(note)


def _say_otherwise(members: Sequence[Plan]) -> None:
    """Tells of which members a callback has changed the weights or images in their own tests."""
    whys = [(plans.why_unrecorded(one), str(one.run.folder)) for one in members]
    for why in dict.fromkeys(why for why, _ in whys if why.startswith(BY_CALLBACK)):
        named = ", ".join(folder for other, folder in whys if other == why)
        warn(
            f"{named}: {why}; the committee calls no callback of its members, and averages the"
            " weights in their checkpoints"
        )


def _classes(model: Any) -> list[str]:
    """Returns the user's own classes that a model's options name, at any depth."""
    if isinstance(model, list):
        return [name for part in model for name in _classes(part)]
    if not isinstance(model, Mapping):
        return []
    below = [name for part in model.values() for name in _classes(part)]
    name = model.get("class_path")
    return [name, *below] if isinstance(name, str) and not name.startswith("lit_mnist.") else below
