"""The state of a committee, before a command does anything: its members, and if it is tested."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_mnist.commands import plans, run_cli
from lit_mnist.commands.plans import Plan
from lit_mnist.commands.run_spec import RunSpec
from lit_mnist.models.averages import AVERAGES, DEFAULT_AVERAGE
from lit_mnist.runs import tested
from lit_mnist.runs.folder import Run


def plan(members: Sequence[Plan], average: AVERAGES = DEFAULT_AVERAGE) -> Plan:
    """Describes the committee of trained runs; its data options and name are those of the first."""
    own = members[0].config
    several = len({one.config["data"]["fold"] for one in members}) > 1  # of folds
    others = ("seed", "images", "layout", *(["fold"] if several else []))
    data = {key: value for key, value in own["data"].items() if key not in others}
    paths = [plans.weights_of(one.run) for one in members]
    classes = list(dict.fromkeys(_classes(own["model"])))  # that the checkpoints may name
    spec = RunSpec(
        settings={
            "name": own["name"],
            "log_dir": own["log_dir"],
            "model": "EnsembleModule",
            "model.checkpoints": [str(path) for path in paths],
            "model.average": average,
            **({"model.classes": classes} if classes else {}),
            **{f"data.{key}": value for key, value in data.items()},
            "trainer.accelerator": own["trainer"]["accelerator"],
        }
    )
    part = data["folds"], data.get("fold")
    run = Run.of_committee(Path(own["log_dir"]), own["name"], len(members), *part)
    weights = tested.weights_sha256(paths, average)
    doubt = tested.doubt(run, weights, plans.test_data_sha256(own))
    return Plan(spec, run, own, complete=True, doubt=doubt)


def test(members: Sequence[Plan], average: AVERAGES) -> Path:
    """Tests the average of trained runs, unless exactly these weights have been tested before.

    Returns:
        The committee's folder.
    """
    planned = plan(members, average)
    if planned.tested:
        print(f"{planned.run.folder} is tested: see report.md in it")
    else:
        plans.test(planned)
    return planned.run.folder


def validate(members: Sequence[Plan], average: AVERAGES) -> None:
    """Scores the average of trained runs on the images that they have held out of training."""
    run_cli.run(plan(members, average).spec.argv("validate"))


def _classes(model: Any) -> list[str]:
    """Yields the user's own classes that a model's options name, at any depth."""
    if isinstance(model, list):
        return [name for part in model for name in _classes(part)]
    if not isinstance(model, Mapping):
        return []
    below = [name for part in model.values() for name in _classes(part)]
    own = model.get("class_path")
    return [own, *below] if isinstance(own, str) and not own.startswith("lit_mnist.") else below
