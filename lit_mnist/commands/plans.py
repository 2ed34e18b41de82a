"""Runs as their options describe them: whether they are trained and tested, and testing them."""

import json
from collections.abc import Sequence
from pathlib import Path

from lit_mnist.commands.run_cli import RunCLI, prepare, run
from lit_mnist.errors import UserError
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.runs import checkpoints

# Whatever trains on several devices is looked at and tested by this process alone
HERE = ("--trainer.devices", "1", "--trainer.num_nodes", "1", "--trainer.strategy", "auto")


class Plan(RunCLI):
    """A run as its options describe it, which nothing is done to."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Stops short of it."""

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.options["seed_everything"]

    @property
    def label(self) -> str:
        """The run in a few letters: `deep/seed_42`."""
        return f"{self.run.folder.parent.name}/{self.run.folder.name}"

    @property
    def complete(self) -> bool:
        """Whether `fit` would find nothing to do."""
        start = self._starting_point(None)
        return start is not None and start.complete

    @property
    def epochs_left(self) -> int:
        """How many epochs `fit` would train; 0 where it has no end but the user's patience."""
        start = self._starting_point(None)
        wanted = self.options["trainer"]["max_epochs"] or 0
        if start and start.complete:
            return 0
        return max(0, wanted - (start.epochs if start else 0))

    @property
    def tested(self) -> bool:
        """Whether the best weights, or a committee's, are tested, and their predictions there."""
        said = self.run.results().get("test_weights_sha256")
        return said == self._weights_sha256() and self.run.file("predictions.csv").exists()

    def _weights_sha256(self) -> str:
        if isinstance(self.model, EnsembleModule):
            self.model.configure_model()
            return self.model.sha256
        return checkpoints.weights_sha256(checkpoints.read(self.run.best)["state_dict"])


def plan(args: Sequence[str]) -> Plan:
    """Describes the run that `fit` with these options would train.

    Raises:
        UserError: An option is wrong, or the run was made with others.
    """
    prepare()
    planned = Plan(["fit", *args, *HERE])
    if isinstance(planned.model, EnsembleModule):
        raise UserError("--model EnsembleModule: is not trained; name the --config of its members")
    if planned.config["fit"]["ckpt_path"]:
        raise UserError("--ckpt_path: each run has its own best.ckpt and last.ckpt; leave it out")
    if planned.fast_dev_run:
        raise UserError("--trainer.fast_dev_run: leaves no weights to test; use it with fit")
    return planned


def test(args: Sequence[str]) -> None:
    """Tests the run that `fit` with these options has trained."""
    run(["test", *args, *HERE])


def committee(members: Sequence[Plan], average: str | None) -> Plan:
    """Describes the test of the average of trained runs.

    Args:
        members: The runs; data and name are those of the first.
        average: How to average; None for the default.
    """
    options = members[0].options
    data = {key: value for key, value in options["data"].items() if key not in ("seed", "images")}
    args = [
        *("test", "--name", options["name"], "--log_dir", options["log_dir"]),
        *("--model", "EnsembleModule"),
        f"--model.checkpoints={json.dumps([str(plan.run.best) for plan in members])}",
        *([f"--model.average={average}"] if average else []),
        *(f"--data.{key}={_typed(value)}" for key, value in data.items()),
        f"--trainer.accelerator={options['trainer']['accelerator']}",
        *HERE,
    ]
    return Plan(args)


def test_committee(members: Sequence[Plan], average: str | None) -> Path:
    """Tests the average of trained runs, unless these very weights have been tested before.

    Args:
        members: The runs.
        average: How to average; None for the default.

    Returns:
        The committee's folder.
    """
    plan = committee(members, average)
    if plan.tested:
        print(f"{plan.run.folder} is tested: see report.md in it")
    else:
        run(plan.args)
    return plan.run.folder


def _typed(value: object) -> str:
    """Writes a value as it would be typed."""
    return value if isinstance(value, str) else json.dumps(value)
