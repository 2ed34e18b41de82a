"""How many wrong labels `audit` finds when a known number is flipped in a copy of the training set.

    python benchmarks/audit.py --data-dir data

Runs `committee --folds` with `configs/fast.yaml` on the copy, then `audit`, and counts the flipped
images among those that `audit` lists first. The test set is not read.
"""

import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measuring  # first, as it puts this clone on the path
import numpy as np
import report
import torch

from lit_mnist import files
from lit_mnist.data import download
from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import write_idx
from lit_mnist.errors import UserError, one_line
from lit_mnist.machine import hardware

AS = "KMNIST"  # the copy's name: MNIST's own files are pinned by their hashes
SEED, FIRST = 0, 300  # of the flips; number of audited labels that are checked


def flipped(source: Path, target: Path, dataset: str, count: int) -> set[int]:
    """Copies the training set with `count` labels changed to another class, drawn at random."""
    images, labels, _ = download.load(dataset, "train", source, allow_download=False)
    folder = DATASETS[AS].folder(target)
    folder.mkdir(parents=True)
    values = labels.numpy().astype(np.uint8)
    generator = np.random.default_rng(SEED)
    chosen = generator.choice(len(values), count, replace=False)
    values[chosen] = (values[chosen] + generator.integers(1, 10, count)) % 10
    for name, content in zip(DATASETS[AS].files["train"], (images, values), strict=True):
        write_idx(folder / name, torch.as_tensor(content))
    return set(chosen.tolist())


def measure(options: Any, scratch: Path) -> dict[str, Any]:
    """Trains and audits; counts the flipped labels that were found."""
    wrong = flipped(options.data_dir, scratch, options.dataset, options.flips)
    logs = scratch / "logs"
    fit = ["--data.data_dir", str(scratch), "--data.dataset", AS, "--log_dir", str(logs)]
    fit += ["--data.download", "false", "--trainer.accelerator", options.accelerator]
    fit += ["--trainer.max_epochs", str(options.epochs)] if options.epochs else []
    program = (sys.executable, "cli.py")
    folds = ("--folds", str(options.folds), "--skip_test")
    child = measuring.run_child(
        [*program, "committee", "--config", "configs/fast.yaml", *folds, *fit]
    )
    folder = logs / "fast" / f"committee_{options.folds}_folds_{options.folds}"
    measuring.run_child([*program, "audit", str(folder)])
    with (folder / "audit.csv").open(newline="") as file:
        named = [int(row["index"]) for row in csv.DictReader(file)]
    first = named[:FIRST]
    found = json.loads((folder / "results.json").read_text())
    return {
        "dataset": options.dataset,
        "flips": len(wrong),
        "folds": options.folds,
        "first": len(first),
        "precision_first": len(wrong & {*first}) / max(1, len(first)),
        "named": len(named),
        "precision_named": len(wrong & {*named}) / max(1, len(named)),
        "recall_named": len(wrong & {*named}) / len(wrong),
        "out_of_fold_acc": found["out_of_fold"]["acc"],
        "seconds": round(child.seconds, 1),
        "commit": report.commit(),
        "hardware": hardware.device_name(torch.device("cpu")),
        "versions": hardware.versions(),
    }


def markdown(result: dict[str, Any]) -> str:
    """Formats the page."""
    return f"""# Labels flipped on purpose

{result["flips"]} labels of {result["dataset"]}'s training set were changed to another class at
random; `committee --config configs/fast.yaml --folds {result["folds"]}`, then `audit`.

| images | flipped among them |
|---|---|
| the first {result["first"]} | {result["precision_first"]:.1%} |
| all {result["named"]} that are named | {result["precision_named"]:.1%} |

{result["recall_named"]:.1%} of the flipped labels are named. {result["hardware"]}; torch \
{result["versions"]["torch"]}; {result["seconds"]:.0f} s; commit {result["commit"]}.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures once and writes JSON and Markdown."""
    parser = measuring.new_parser(__doc__, "audit", repeats=1)
    parser.set_defaults(output=measuring.ROOT / "results" / "audit.json")
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--flips", type=int, default=600, help="labels to change (600)")
    add("--folds", type=int, default=4, help="(4)")
    add("--epochs", type=int, help="in place of the config's")
    add("--accelerator", choices=("cpu", "gpu"), default="cpu", help="(cpu)")
    options = measuring.parse(parser, argv, quick={"epochs": 1, "folds": 2})
    try:
        with tempfile.TemporaryDirectory() as scratch:
            result = measure(options, Path(scratch))
    except UserError as error:  # the data are missing
        parser.error(one_line(error))
    files.write_json(options.output, {"benchmark": "audit", **result})
    files.write_text(options.output.with_suffix(".md"), markdown(result))
    print(f"precision among the first {result['first']}: {result['precision_first']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
