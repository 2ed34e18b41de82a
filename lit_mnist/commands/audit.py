"""The command `audit`: training images whose labels the out-of-fold predictions contradict."""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lit_mnist import files
from lit_mnist.data import download
from lit_mnist.data.datasets import class_names
from lit_mnist.data.read import Split
from lit_mnist.errors import UserError
from lit_mnist.reports import figures, label_issues, out_of_fold
from lit_mnist.reports.calibration import Answers
from lit_mnist.runs import tested
from lit_mnist.runs.folder import Run
from lit_mnist.runs.run_config import read_config


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `audit_parser.Audit`."""
    audited = Run(options.run)
    output = options.output or audited.folder
    answers = out_of_fold.read(audited)
    config = read_config(audited.config_yaml)
    _check_weights(audited)
    data: dict[str, Any] = config.get("data") or {}
    dataset = str(data.get("dataset", "MNIST"))
    folder = options.data_dir or Path(str(data.get("data_dir", "data")))
    split = download.load(dataset, "train", folder, False, option="--data_dir")
    _check_same(audited, split, answers)
    files.check_output(output, ("audit.csv", "audit.png"), label_issues.HEAD)
    found = label_issues.find(answers)
    output.mkdir(parents=True, exist_ok=True)
    files.write_text(output / "audit.csv", label_issues.table(found))
    picture = label_issues.draw(found, split.images.numpy(), class_names(dataset))
    figures.save(picture, output / "audit.png")
    print(
        f"{len(found.indices):,} of {len(answers.labels):,} labels are contradicted: audit.csv and"
        f" audit.png in {output}; nothing is removed"
    )


def _check_weights(run: Run) -> None:
    """Refuses predictions of unknown weights, or of replaced ones where the members still exist."""
    found = run.results().get(out_of_fold.KEY) or {}
    scored = found.get("weights_sha256")
    if not scored:
        raise UserError(
            f"{run.results_json}: does not record the weights of {run.out_of_fold.name};"
            " run committee --folds again"
        )
    paths = [run.folder / name for name in found.get("checkpoints", [])]
    if not paths or not all(path.is_file() for path in paths):
        print(
            f"{run.out_of_fold}: its members are not where they were, so whether they still have"
            " the weights that it is of is not known",
            file=sys.stderr,
        )
        return
    if tested.weights_sha256(paths, found.get("average")) != scored:
        raise UserError(
            f"{run.out_of_fold}: was made with other weights than the members have now; run"
            " committee --folds again"
        )


def _check_same(run: Run, split: Split, answers: Answers) -> None:
    """Refuses images other than those that were scored."""
    known = run.results().get("data_sha256", split.sha256) == split.sha256
    if not known or not np.array_equal(split.labels.numpy(), answers.labels):
        raise UserError(
            f"{run.folder}: was trained on other images or labels; name their folder, --data_dir"
        )
