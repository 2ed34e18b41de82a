"""The command `sweep`: Optuna chooses the options of ordinary runs by validation accuracy."""

import argparse
import hashlib
import itertools
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from lit_mnist import files, program
from lit_mnist.command_line.parsed_options import parsed_options
from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import jobs, plans, same_images
from lit_mnist.commands.resolved_run import ONE_PROCESS, check_tested_whole, resolve
from lit_mnist.errors import UserError
from lit_mnist.runs import safe_yaml
from lit_mnist.runs.config_changes import FREE_OPTIONS, LIMITS, all_validate
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import flat, read_config
from lit_mnist.sweep import extra, record, space
from lit_mnist.sweep.space import Space

_TOGETHER = 50  # sets of values that are tried; each takes some hundredths of a second
# Options that depend on the machine, or that may change when a sweep is resumed
_FREE = (*set(FREE_OPTIONS) - set(LIMITS), "trainer.precision", "model.init_args.channels_last")


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `sweep_parser.Sweep`."""
    extra.require()
    from lit_mnist.commands.sweep_trials import Trials  # Optuna

    sweep = Sweep.of(options.spec, options.space, options.trials)
    _check_images(sweep)
    before = os.environ.get(jobs.MARK)
    os.environ[jobs.MARK] = "1"  # a trial does not print what to do next
    try:
        Trials(sweep, options.storage, options.spare_epochs).run()
    finally:
        if before is None:
            del os.environ[jobs.MARK]


class Sweep(NamedTuple):
    """A sweep: a run and the space of its options to search.

    Attributes:
        spec: The run whose options are searched.
        space: The options to search and their values.
        wanted: Number of trials to complete.
        options: The run's resolved config.
    """

    spec: RunSpec
    space: Space
    wanted: int
    options: Mapping[str, Any]

    @classmethod
    def of(cls, spec: RunSpec, path: Path, wanted: int) -> Self:
        """Reads the space and checks that `fit` accepts its values, before anything is trained.

        Raises:
            UserError: A value is wrong; names the file and the value, or the run's option.
        """
        searched, resolved = space.read(path), resolve(spec)
        if resolved.fresh:  # typed or in a config
            raise UserError("--fresh: a sweep is always resumed; use another --name for a new one")
        _check_trial(resolved.options)
        _check_values(spec, path, searched)
        return cls(spec, searched, wanted, resolved.options)

    @property
    def name(self) -> str:
        """Name of the run."""
        return str(self.options["name"])

    @property
    def folder(self) -> Path:
        """Folder of the sweep's results and trials."""
        return record.folder_of(Path(self.options["log_dir"]), self.name)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that must be the same when the sweep is resumed, in plain values."""
        fixed = {k: v for k, v in flat(dict(self.options)).items() if not k.startswith(_FREE)}
        values = {"space": space.as_plain(self.space), "options": fixed}
        if not all_validate(fixed):
            values["--data.eval_batch_size"] = self.options["data"]["eval_batch_size"]
        plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
        return plain

    def trial(self, number: int, values: Mapping[str, Any]) -> RunSpec:
        """Returns the run of a trial, in the sweep's folder."""
        place = {"name": record.trial_name(number), "log_dir": str(self.folder)}
        return self.spec.with_settings({**ONE_PROCESS, **values, **place})

    def run_of(self, number: int) -> Run:
        """Returns the folder of a trial's run."""
        seed, data = self.options["seed_everything"], self.options["data"]
        name = record.trial_name(number)
        return Run.of_seed(self.folder, name, seed, data["folds"], data["fold"])

    @property
    def best_config(self) -> Path:
        """The config of the best trial, for a run of its own."""
        return self.folder / f"{self.name}_best.yaml"

    def write_best(self, number: int, values: Mapping[str, Any]) -> None:
        """Writes the config of the best trial, unless the file is that trial's, perhaps edited."""
        path, name = self.best_config, self.best_config.stem
        config = resolve(self.spec.with_settings(values)).options | {"name": name}
        # One process is for the trials: the run itself may use more
        trainer = {k: v for k, v in config["trainer"].items() if f"trainer.{k}" not in ONE_PROCESS}
        text = safe_yaml.dump(config | {"trainer": trainer})
        digest = hashlib.sha256(text.encode()).hexdigest()
        origin = f"# The best of a sweep: trial {number}, config {digest:.12}.\n"
        if path.is_file() and origin in path.read_text(encoding="utf-8", errors="replace"):
            return
        head = f"# {program.name()} fit --config {shlex.quote(str(path))}\n"
        files.write_text(path, head + origin + text)


def _check_images(sweep: Sweep) -> None:
    """Refuses to compare new trials with some that were trained on other images or labels."""
    now = {key: sweep.options["data"][key] for key in ("download", "data_dir")}
    for run in map(Run, sorted(sweep.folder.glob("trial_*/seed_*"))):
        if data := read_config(run.config_yaml).get("data"):
            trained_on = run.results().get("data_sha256", "")
            same_images.check(run, data | now, trained_on, "choose another --name for the sweep")


def _check_values(spec: RunSpec, path: Path, searched: Space) -> None:
    """Checks that `fit` accepts the values of all options, at once unless one is wrong."""
    extremes = {option: values.extremes for option, values in searched.items()}
    try:
        for place in range(max(map(len, extremes.values()))):
            row = {option: ends[place % len(ends)] for option, ends in extremes.items()}
            _check_trial(parsed_options(spec.with_settings(row)))
    except UserError as error:
        for option, ends in extremes.items():
            for value in ends:
                _check_value(spec, path, option, value)
        _check_together(spec, path, extremes, error)


def _check_together(
    spec: RunSpec, path: Path, extremes: Mapping[str, Sequence[Any]], refused: UserError
) -> None:
    """Refuses values of which each is accepted alone, and none with those of other options."""
    together = itertools.product(*extremes.values())
    tried = [*itertools.islice(together, _TOGETHER + 1)]
    for values in tried[:_TOGETHER]:
        try:
            _check_trial(
                parsed_options(spec.with_settings(dict(zip(extremes, values, strict=True))))
            )
        except UserError:
            continue
        print(f"some trials will fail, as not all values go together: {refused}")
        return
    if len(tried) > _TOGETHER:  # too many to know
        print(f"trials may fail, as not all values go together: {refused}")
        return
    raise UserError(f"{path}: no values of its options go together: {refused}")


def _check_value(spec: RunSpec, path: Path, option: str, value: Any) -> None:
    try:
        _check_trial(parsed_options(spec.with_settings({option: value})))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _check_trial(options: Mapping[str, Any]) -> None:
    """Refuses what is refused of the sweep's own options."""
    check_tested_whole(options["trainer"])
    plans.check_trains(options)
    _check_validates(options)


def _check_validates(options: Mapping[str, Any]) -> None:
    """Refuses trials that would end without a validation."""
    trainer = options["trainer"]
    every, epochs = trainer["check_val_every_n_epoch"] or 1, trainer["max_epochs"] or 0
    if trainer["limit_val_batches"] == 0:
        option = "limit_val_batches 0"
    elif 0 < epochs < every:
        option = f"check_val_every_n_epoch {every}"
    else:
        return
    raise UserError(
        f"--trainer.{option}: trials are chosen by validation accuracy; have each one validated"
    )
