"""The command `sweep`: ordinary runs, whose options Optuna chooses by validation alone."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from lit_mnist import files, program
from lit_mnist.commands import jobs, plans
from lit_mnist.commands.parsed_options import parsed_options
from lit_mnist.commands.run_spec import RunSpec
from lit_mnist.errors import UserError
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.config_changes import FREE_OPTIONS, LIMITS
from lit_mnist.runs.folder import Run, flat
from lit_mnist.sweep import extra, record, space
from lit_mnist.sweep.space import Space

# What the machine settles, and what a sweep may be gone on with otherwise
_FREE = (*set(FREE_OPTIONS) - set(LIMITS), "trainer.precision", "model.init_args.channels_last")


def run(options: argparse.Namespace) -> None:
    """Runs the command with options that `sweep_parser.Sweep` has parsed."""
    extra.require()
    from lit_mnist.commands.sweep_trials import Trials  # Optuna

    sweep = Sweep.of(options.spec, options.space, options.trials)
    before = os.environ.get(jobs.MARK)
    os.environ[jobs.MARK] = "1"  # a trial need not say what to do next
    try:
        Trials(sweep, options.storage, options.spare_epochs).run()
    finally:
        os.environ.pop(jobs.MARK) if before is None else None


class Sweep(NamedTuple):
    """What is searched.

    Attributes:
        spec: The run whose options are searched.
        space: Which of them, and within what.
        wanted: How many trials there are to be.
        options: Those of the run, resolved.
    """

    spec: RunSpec
    space: Space
    wanted: int
    options: Mapping[str, Any]

    @classmethod
    def of(cls, spec: RunSpec, path: Path, wanted: int) -> Self:
        """Reads the space and checks that `fit` takes it, before anything is trained.

        Raises:
            UserError: Naming the file and the value, or the option of the run.
        """
        searched, options = space.read(path), plans.resolved(spec)
        for option, values in searched.items():
            for value in values.extremes:
                try:
                    parsed_options(spec.with_settings({option: value}))
                except UserError as error:
                    raise UserError(f"{path}: {error}") from error
        return cls(spec, searched, wanted, options)

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.options["name"])

    @property
    def folder(self) -> Path:
        """Where all lies that the sweep makes."""
        return record.folder_of(Path(self.options["log_dir"]), self.name)

    @property
    def said(self) -> dict[str, Any]:
        """What must be the same whenever the sweep is gone on with, in plain values."""
        fixed = {k: v for k, v in flat(dict(self.options)).items() if not k.startswith(_FREE)}
        said = {"space": space.as_plain(self.space), "options": fixed}
        plain: dict[str, Any] = json.loads(json.dumps(said, default=str))
        return plain

    def trial(self, number: int, values: Mapping[str, Any]) -> RunSpec:
        """Gives the run of a trial, which lies in the sweep's folder."""
        place = {"name": record.trial_name(number), "log_dir": str(self.folder)}
        return self.spec.with_settings({**plans.ONE_PROCESS, **values, **place})

    def run_of(self, number: int) -> Run:
        """Gives the folder of a trial's run."""
        name = record.trial_name(number)
        return Run.of_seed(self.folder, name, self.options["seed_everything"])

    def write_best(self, values: Mapping[str, Any]) -> Path:
        """Writes the config of a trial as that of a run of its own; gives its path."""
        name = f"{self.name}_best"
        path = self.folder / f"{name}.yaml"
        config = plans.resolved(self.spec.with_settings(values)) | {"name": name}
        trainer = {k: v for k, v in config["trainer"].items() if f"trainer.{k}" not in _ONE}
        head = f"# {program.name()} fit --config {path}\n# The best trial of a sweep.\n"
        text = safe_yaml.dump(config | {"trainer": trainer})
        files.write_text(path, head + text)
        return path


_ONE = plans.ONE_PROCESS  # of the trials; the run may have more
