"""The state of a run, before a command does anything: trained, tested, epochs left."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands import run_cli, same_images
from lit_mnist.commands.resolved_run import ONE_PROCESS, resolve
from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.option_types import SEEDS
from lit_mnist.data.read import files_sha256
from lit_mnist.errors import UserError
from lit_mnist.reports import run_names
from lit_mnist.runs import limits, tested, tested_files, unrecorded
from lit_mnist.runs.folder import Run
from lit_mnist.runs.limits import Progress
from lit_mnist.runs.resume import resume_point


@dataclass(frozen=True)
class Plan:
    """The state of a run, from its options and its folder.

    Attributes:
        spec: The options as given.
        run: The folder.
        config: The resolved config.
        fresh: Whether `fit` would replace an existing run.
        complete: Whether `fit` would have nothing to do.
        epochs_left: How many epochs `fit` would train; 0 if only callbacks end training.
    """

    spec: RunSpec
    run: Run
    config: Mapping[str, Any]
    fresh: bool = False
    complete: bool = False
    epochs_left: int = 0

    @cached_property
    def untested(self) -> str:
        """Why the run has no valid test; empty if it has one. Only this reads the test files."""
        if self.fresh:
            return tested.NEVER
        results, average = self.run.results(), self.average
        if average is None and "test_weights_sha256" not in results:
            return tested.NEVER  # damaged weights do not matter here: fit reports them
        data_sha256 = test_data_sha256(self.config)
        why = tested.why_untested(self.run, self.weights_sha256(), data_sha256)
        if average and why == tested_files.CHANGED and results.get("test_average") != average:
            return f"its test averages {results['test_average']}, not {average}"
        return why

    @property
    def average(self) -> Any:
        """How a committee averages; None for a single run."""
        return self.spec.settings.get("model.average")

    def weights_sha256(self) -> str:
        """Hashes the weights that a test would use now: the run's own, or all of a committee's."""
        settings: Mapping[str, Any] = self.spec.settings
        paths = settings.get("model.checkpoints") or [self.run.evaluated()[0]]
        return tested.weights_sha256(list(map(Path, paths)), self.average)

    @property
    def tested(self) -> bool:
        """Whether exactly these weights were tested on all images of exactly this test set."""
        return not self.untested

    @property
    def label(self) -> str:
        """Short name of the run: `deep/seed_42`."""
        return run_names.of(self.run.folder)


def plan(spec: RunSpec) -> Plan:
    """Returns the state of the run that `fit` with these options would train.

    Raises:
        UserError: An option is wrong, the run was made with other options or images, or there is
            nothing to train.
    """
    parsed = resolve(spec)
    if parsed.fresh or not parsed.run.exists():
        check_trains(parsed.options)
    return updated(Plan(spec, parsed.run, parsed.options, parsed.fresh))


def first_seed(spec: RunSpec) -> int:
    """Returns the seed of the options, without looking at the run's folder."""
    return resolve(spec).options["seed_everything"]


def seeded(spec: RunSpec, first: int, count: int) -> list[RunSpec]:
    """Returns runs that differ in their seeds, which count up.

    Raises:
        UserError: There are not that many seeds from the first one on.
    """
    if first + count > SEEDS:
        raise UserError(
            f"--seed_everything {first}: the seeds of {count} runs count up from it; take"
            f" {SEEDS - count} or less"
        )
    return [spec.with_seed(first + place) for place in range(count)]


def check_trains(config: Mapping[str, Any]) -> None:
    """Refuses a limit that leaves a new run nothing to train.

    Raises:
        UserError: Naming the option.
    """
    if limit := limits.reached(dict(config), Progress()):
        raise UserError(f"{limit}: there is nothing to train; raise it")


def updated(planned: Plan) -> Plan:
    """Reads the state again from the run's folder.

    Raises:
        UserError: As for `plan`.
    """
    point = None if planned.fresh else resume_point(planned.run, dict(planned.config))
    if point:
        same_images.check(planned.run, planned.config["data"], point.data_sha256)
    # one that was killed before its end may have something left to do that its code alone tells
    ended = planned.run.results().get("status") == "complete"
    complete = point is not None and point.complete and ended
    max_epochs = planned.config["trainer"]["max_epochs"] or 0
    epochs_left = 0 if complete else max(0, max_epochs - (point.epochs if point else 0))
    return replace(planned, complete=complete, epochs_left=epochs_left)


def test(planned: Plan) -> None:
    """Tests a trained run, but not again if this test could not be recorded; prints why."""
    if why := why_unrecorded(planned):
        again = "the command test reads the test set again"
        print(f"{planned.run.folder}: its test is not recorded: {why}; {again}", flush=True)
        return
    if planned.untested not in ("", tested.NEVER):
        print(f"{planned.run.folder}: {planned.untested}; it is tested again", flush=True)
    why = run_cli.run(planned.spec.with_settings(ONE_PROCESS).argv("test"))
    if why:
        unrecorded.note(planned.run, why, _conditions(planned))


def why_unrecorded(planned: Plan) -> str:
    """Returns why a test of these weights with these options left no record; empty if none did."""
    if unrecorded.KEY not in planned.run.results():
        return ""
    return unrecorded.reason(planned.run, _conditions(planned))


def _conditions(planned: Plan) -> dict[str, str]:
    """Returns hashes of all that a test depends on, except code."""
    options = json.dumps(planned.config, sort_keys=True, default=str)
    return {
        "weights_sha256": planned.weights_sha256(),
        "data_sha256": test_data_sha256(planned.config),
        "options_sha256": hashlib.sha256(options.encode()).hexdigest(),
    }


def test_data_sha256(config: Mapping[str, Any]) -> str:
    """Hashes the test images of a run's config; empty if they are not on disk."""
    spec = DATASETS[config["data"]["dataset"]]
    return files_sha256(spec, "test", spec.folder(Path(config["data"]["data_dir"])))
