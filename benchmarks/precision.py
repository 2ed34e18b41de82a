"""Validation loss after training in bfloat16 and in float32, over several seeds.

    python benchmarks/precision.py --config simple_plateau --seeds 5 --epochs 10

What is compared is the validation loss (in float32 for both), averaged over the last three epochs,
which is less noisy than the accuracy. The two agree if their means differ by less than two standard
errors of the difference (Welch). With `--runs tb_logs/NAME`, runs of the same config that are there
already, in either precision, serve with their first epochs instead of being trained again.
"""

import argparse
import csv
import json
import math
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import measuring  # stands before lit_mnist for what it does to the path
from report import Report

from lit_mnist.machine import BFLOAT16, FLOAT32
from lit_mnist.statistics import mean_sd

LAST = 3  # epochs that are averaged
FIRST_SEED = 42


def val_loss(options: argparse.Namespace, precision: str, seed: int) -> float:
    """Trains a run, or finds it, and gives its validation loss in nats."""
    found = finished(options, precision, seed)
    if found is None:
        more = ("--seed_everything", str(seed), "--trainer.precision", precision)
        run = measuring.fit(options, options.config, *more, threads=1, epochs=options.epochs)
        found = [row["val_loss"] for row in run.rows]
    print(f"{options.config}, {precision}, seed {seed}: {found[-1]:.4f}", file=sys.stderr)
    return statistics.mean(found[-LAST:])


def finished(options: argparse.Namespace, precision: str, seed: int) -> list[float] | None:
    """Gives the validation losses of the epochs of a run that is there already; None without."""
    folder = Path(options.runs or "", f"seed_{seed}")
    if not options.runs or not (folder / "results.json").exists():
        return None
    said = json.loads((folder / "results.json").read_text())
    with (folder / "metrics.csv").open(newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    enough = said["precision"] == precision and len(losses) >= options.epochs
    return losses[: options.epochs] if enough else None


def standard_error(first: Sequence[float], second: Sequence[float]) -> float:
    """Gives the standard error of the difference of two means (Welch)."""
    return math.sqrt(sum(mean_sd(values)[1] ** 2 / len(values) for values in (first, second)))


def main(argv: Sequence[str] | None = None) -> int:
    """Trains, compares, reports."""
    parser = measuring.new_parser(__doc__, "precision", repeats=1)
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--config", default="simple_plateau", help="a file of configs/, without .yaml")
    add("--seeds", type=int, default=5, help="how many, from 42 (5)")
    add("--epochs", type=int, default=10, help="(10)")
    add("--at-once", type=int, default=2, help="runs at a time, each on one thread (2)")
    add("--runs", help="a folder with runs of this config, such as tb_logs/simple_plateau")
    options = measuring.parse(parser, argv, quick={"seeds": 2, "epochs": 1})
    report = Report("precision", options)
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    losses = {}
    for precision in (BFLOAT16, FLOAT32):
        with ThreadPoolExecutor(options.at_once) as pool:
            losses[precision] = list(pool.map(partial(val_loss, options, precision), seeds))
        what = f"{options.config}, {options.epochs} epochs: validation loss, {precision}"
        report.add(what, losses[precision], "nats")
    means = [statistics.mean(losses[precision]) for precision in (BFLOAT16, FLOAT32)]
    errors = abs(means[0] - means[1]) / standard_error(losses[BFLOAT16], losses[FLOAT32])
    what = f"{options.config}: the means differ by this many standard errors"
    report.add(what, [errors], "", ("<=", 2.0), means=means)
    report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
