"""Validation loss after training with each of two values of an option, over several seeds.

    python benchmarks/variants.py --config simple_plateau --seeds 5 --epochs 10
    python benchmarks/variants.py --option data.interpolation --values bilinear nearest

Compares the validation loss (in float32 whatever the precision), averaged over the last three
epochs, as it is less noisy than the accuracy. Two values agree if their means differ by less than
two standard errors of the difference (Welch). With `--runs tb_logs/NAME ...`, existing runs whose
config.yaml has the value are used with their first epochs instead of training again.
"""

import argparse
import csv
import math
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from pathlib import Path

import measuring  # first, as it puts this clone on the path
import yaml
from report import Report

from lit_mnist.machine.hardware import BFLOAT16, FLOAT32
from lit_mnist.reports.statistics import mean_sd

LAST = 3  # epochs that are averaged
FIRST_SEED = 42


def val_loss(options: argparse.Namespace, value: str, seed: int) -> float:
    """Trains a run, unless it exists, and returns its validation loss in nats."""
    found = finished(options, value, seed)
    if found is None:
        arguments = ("--seed_everything", str(seed), f"--{options.option}", value)
        run = measuring.fit(options, options.config, *arguments, threads=1, epochs=options.epochs)
        found = [row["val_loss"] for row in run.rows]
    print(f"{options.config}, {value}, seed {seed}: {found[-1]:.4f}", file=sys.stderr)
    return statistics.mean(found[-LAST:])


def finished(options: argparse.Namespace, value: str, seed: int) -> list[float] | None:
    """Returns the validation losses of an existing run by epoch; None if there is none."""
    for runs in options.runs:
        folder = Path(runs, f"seed_{seed}")
        if not (folder / "config.yaml").exists():
            continue
        config = yaml.safe_load((folder / "config.yaml").read_text())
        configured = reduce(
            lambda part, name: part.get(name, {}), options.option.split("."), config
        )
        with (folder / "metrics.csv").open(newline="") as file:
            losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
        if configured == value and len(losses) >= options.epochs:
            return losses[: options.epochs]
    return None


def standard_error(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns the standard error of the difference of two means (Welch)."""
    return math.sqrt(sum(mean_sd(values)[1] ** 2 / len(values) for values in (first, second)))


def main(argv: Sequence[str] | None = None) -> int:
    """Trains, compares, reports."""
    parser = measuring.new_parser(__doc__, "variants", repeats=1)
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--config", default="simple_plateau", help="a file of configs/, without .yaml")
    add("--option", default="trainer.precision", help="of fit (trainer.precision)")
    add("--values", nargs=2, default=[BFLOAT16, FLOAT32], help=f"({BFLOAT16} {FLOAT32})")
    add("--seeds", type=int, default=5, help="how many, from 42 (5)")
    add("--epochs", type=int, default=10, help="(10)")
    add("--at-once", type=int, default=2, help="runs at a time, each on one thread (2)")
    add("--runs", nargs="+", default=[], help="folders with runs, such as tb_logs/simple_plateau")
    options = measuring.parse(parser, argv, quick={"seeds": 2, "epochs": 1})
    report = Report("variants", options)
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    losses = []
    for value in options.values:
        with ThreadPoolExecutor(options.at_once) as pool:
            losses.append(list(pool.map(partial(val_loss, options, value), seeds)))
        what = f"{options.config}, {options.epochs} epochs: validation loss, {value}"
        report.add(what, losses[-1], "nats")
    means = [statistics.mean(values) for values in losses]
    errors = abs(means[0] - means[1]) / standard_error(*losses)
    target = ("<=", 2.0) if options.option == "trainer.precision" else None
    what = f"{options.config}: the means differ by this many standard errors"
    report.add(what, [errors], "", target, means=means)
    report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
