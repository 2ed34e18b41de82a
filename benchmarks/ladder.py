"""The ladder: accuracy of a network after a given time of training, seed by seed.

    python benchmarks/ladder.py --data-dir data
    python benchmarks/ladder.py --data-dir data --accelerator gpu --output results/ladder_gpu.json

Each rung is a config, trained with `fit` once per seed. Reported are the validation accuracy of the
last epoch and the sum of `seconds` in metrics.csv: training and validation from the first step on,
without startup or the files written between epochs. The test set is not read.

Each run is recorded when it ends; the same command again trains the missing ones. A run is valid
for the same machine, versions and last commit that changed the program or its configs; the first
new run of a rung replaces its outdated ones. A table (.md) and a chart (.png) lie beside the JSON.
Other work on the machine distorts the seconds: `load` records how much there was at the start.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measuring  # first, as it puts this clone on the path
import torch
import yaml
from ladder_report import Rung, write

from lit_mnist import files
from lit_mnist.machine import hardware, process

FIRST_SEED = 42
# Targets on two cores with AVX-512, and of two rungs on a GPU, where that of `fast` is the time of
# the fastest published code on a GTX 1660 Ti
RUNGS = {
    "fast": Rung(seeds=10, accuracy=0.990, seconds=5, gpu_seconds=0.76),
    "longer": Rung(seeds=10, accuracy=0.993, seconds=15),
    "small": Rung(seeds=5, accuracy=0.995, seconds=120),
    "record": Rung(seeds=5, accuracy=0.997, seconds=25 * 60, gpu_seconds=20),
}
PROGRAM = ("cli.py", "configs", "lit_mnist")  # what decides how a network is trained
Facts = dict[str, Any]  # of a run, or of where and with what it was trained


def environment(options: argparse.Namespace) -> Facts:
    """Returns commit, hardware, versions and dataset; only runs of equal ones are averaged."""
    process.configure_process()
    device = torch.device("cuda" if options.accelerator == "gpu" else "cpu")
    facts = {"hardware": hardware.device_name(device), "versions": hardware.versions()}
    return {"commit": _commit(), **facts, "dataset": options.dataset}


def _commit() -> str:
    """Returns the last commit that changed the program; `-dirty` if it was changed since."""

    def git(*command: str) -> str:
        git = ["git", "-C", str(measuring.ROOT), *command, "--", *PROGRAM]
        return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("log", "-1", "--format=%h") or "unknown") + ("-dirty" if changed else "")


def epochs_of(name: str) -> int:
    """Returns the length of a rung's runs, which its config gives."""
    path = measuring.ROOT / "configs" / f"{name}.yaml"
    return int(yaml.safe_load(path.read_text())["trainer"]["max_epochs"])


def recorded(path: Path) -> list[Facts]:
    """Reads the recorded runs."""
    return json.loads(path.read_text())["runs"] if path.exists() else []


def is_of(run: Facts, place: Facts) -> bool:
    """Returns whether a run was trained in this environment and with these options."""
    return all(run[key] == value for key, value in place.items())


def train(options: argparse.Namespace, name: str, seed: int) -> Facts:
    """Trains one rung with one seed, and returns its record."""
    load, epochs = os.getloadavg()[0], options.epochs or epochs_of(name)
    device = ("--trainer.accelerator", options.accelerator, "--trainer.devices", "1")
    arguments = ("--seed_everything", str(seed), *device)
    run = measuring.fit(options, name, *arguments, epochs=epochs)
    last = run.rows[-1]
    scores = {key: last[key] for key in ("val_acc", "val_loss")}
    facts = {key: run.results[key] for key in ("parameters", "precision", "data_sha256")}
    seconds = round(sum(row["seconds"] for row in run.rows), 3)
    spent = {"seconds": seconds, "whole_seconds": round(run.child.seconds, 1), "load": load}
    return {"rung": name, "seed": seed, "epochs": epochs, **scores, **spent, **facts}


def main(argv: Sequence[str] | None = None) -> int:
    """Trains the missing runs and writes the file after each."""
    parser = measuring.new_parser(__doc__, "ladder", repeats=1)
    parser.set_defaults(output=measuring.ROOT / "results" / "ladder.json")
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--rungs", nargs="+", choices=RUNGS, default=list(RUNGS), help="(all)")
    add("--seeds", type=int, help="number per rung, from 42 on (10, 10, 5, 1)")
    add("--epochs", type=int, help="in place of each rung's own")
    add("--accelerator", choices=("cpu", "gpu"), default="cpu", help="(cpu)")
    quick = {"seeds": 2, "epochs": 1, "rungs": ["fast"]}
    options = measuring.parse(parser, argv, quick=quick)
    if options.accelerator == "gpu" and not torch.cuda.is_available():
        print("ladder.py: there is no CUDA device here; leave --accelerator out", file=sys.stderr)
        return 2
    place, runs = environment(options), recorded(options.output)
    place["options"] = ["--trainer.max_epochs", str(options.epochs)] if options.epochs else []
    for name in options.rungs:
        place["config"] = name
        done = {run["seed"] for run in runs if run["rung"] == name and is_of(run, place)}
        count = options.seeds or RUNGS[name].seeds
        for seed in sorted({*range(FIRST_SEED, FIRST_SEED + count)} - done):
            run = train(options, name, seed) | place
            runs = [old for old in runs if old["rung"] != name or is_of(old, place)] + [run]
            files.write_json(options.output, {"benchmark": "ladder", "runs": runs})
            print(f"{name}, seed {seed}: {run['val_acc']:.4f}, {run['seconds']:.1f} s", flush=True)
    write(options.output, RUNGS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
