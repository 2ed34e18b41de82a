"""The command `doctor`: whether this machine and these options are fit for a run."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.doctor import software
from lit_mnist.doctor.cores import cores
from lit_mnist.doctor.finding import Finding
from lit_mnist.doctor.threads import threads
from lit_mnist.errors import UserError


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `parsers.Doctor`.

    Raises:
        UserError: A finding is an error, or the options are wrong.
    """
    found = []
    for finding in look(options.spec):
        found.append(finding)
        if not options.json:
            print(finding.line(), flush=True)
    if options.json:
        print(json.dumps([finding._asdict() for finding in found], indent=2))
    errors = [finding.check for finding in found if finding.verdict == "error"]
    if errors:
        raise UserError(f"doctor: {', '.join(dict.fromkeys(errors))}: fix what is named above")


def look(spec: RunSpec) -> Iterator[Finding]:
    """Yields the findings of all checks; if torch is missing, of those that do not need it."""
    needs = software.needs()
    yield software.python(needs.python)
    yield from software.packages(needs.packages)
    imported = software.imports()
    yield imported
    if imported.verdict == "ok":
        yield from look_with_torch(spec)
    else:
        yield threads(cores())
        text = "devices, data, log folder, launcher: not looked at, for want of these packages"
        yield Finding("others", "warning", text)
    yield from software.extras(needs.extras)


def look_with_torch(spec: RunSpec) -> Iterator[Finding]:
    """Yields the findings of the checks that need torch and the options of a run."""
    import torch

    from lit_mnist.command_line.parsed_options import parsed_options
    from lit_mnist.data.datasets import DATASETS
    from lit_mnist.doctor import devices, launcher, storage

    options = parsed_options(spec)
    trainer, data = options["trainer"], options["data"]
    yield devices.device(trainer["accelerator"])
    yield devices.arithmetic(trainer["accelerator"])
    yield threads(cores(), torch.get_num_threads())
    yield launcher.launcher(trainer["devices"], trainer["num_nodes"])
    spec_of_data = DATASETS[data["dataset"]]
    yield from storage.data(spec_of_data, Path(data["data_dir"]), download=data["download"])
    yield from storage.log_folder(Path(options["log_dir"]))
    if spec.names_model:
        yield _classes(spec)


def _classes(spec: RunSpec) -> Finding:
    """Finds whether the constructors of model, callbacks and loggers accept their arguments."""
    from lit_mnist.command_line.parsed_options import check_constructors

    try:
        check_constructors(spec)
    except UserError as error:
        return Finding("classes", "error", str(error))
    return Finding("classes", "ok", "model, callbacks and loggers accept their options")
