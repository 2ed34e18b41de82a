"""One deep member and a committee of five on a CUDA device, through the real program.

    python benchmarks/gpu.py --data-dir data

Trains the members of configs/deep.yaml one after another, each with a `fit` of its own. Reports the
seconds of one member and of all, from process start to end; the seconds of training until a member
first reaches 99 % validation accuracy; and, from a short further run in which any training step
that makes the CPU wait for the device is an error, the peak memory of PyTorch's tensors. Without a
CUDA device the exit status is 2.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import measuring  # first, as it puts this clone on the path
import torch
from report import Report

GPU = ("--trainer.accelerator", "gpu", "--trainer.devices", "1")


def seconds_to(accuracy: float, rows: Sequence[dict[str, float]]) -> float | None:
    """Returns the seconds of training until an epoch's validation accuracy reaches a value."""
    totals = accumulate(row["seconds"] for row in rows)
    reached = (total for total, row in zip(totals, rows, strict=True) if row["val_acc"] >= accuracy)
    return next(reached, None)


def add_members(report: Report, options: argparse.Namespace) -> None:
    """Trains the committee's members, one after the other."""

    def member(number: int) -> measuring.Fit:
        seed = ("--seed_everything", str(42 + number))
        return measuring.fit(options, "deep", *GPU, *seed, epochs=options.epochs)

    committees = [[member(i) for i in range(options.members)] for _ in range(options.repeats)]
    runs = [run for committee in committees for run in committee]
    totals = [sum(run.child.seconds for run in committee) for committee in committees]
    best = [max(row["val_acc"] for row in run.rows) for run in runs]
    reached = [seconds_to(0.99, run.rows) for run in runs]
    report.add(f"a member of {options.epochs} epochs", [run.child.seconds for run in runs], "s")
    report.add("the last epoch of a member", [run.epoch_s for run in runs], "s")
    report.add(f"{options.members} members in sequence", totals, "s")
    report.add("best validation accuracy", best, "")
    found = [seconds for seconds in reached if seconds is not None]
    if found:  # n tells how many of the members came there
        report.add("training until 99 % validation accuracy", found, "s")


def add_probe(report: Report, options: argparse.Namespace) -> None:
    """Trains two further epochs, in which no step may make the CPU wait for the device."""
    folder = str(Path(__file__).resolve().parent)
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # so that the child finds the callback
    run = measuring.fit(options, "deep", *GPU, "--trainer.callbacks+=gpu_probe.Probe")
    line = next(line for line in run.child.output.splitlines() if line.startswith("{"))
    found = json.loads(line)
    report.add("steps that made nobody wait", [found["steps_without_sync"]], "steps")
    report.add("peak memory of tensors", [found["peak_gib"]], "GiB")


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports; refuses where there is no CUDA device."""
    parser = measuring.new_parser(__doc__, "gpu", repeats=1)
    measuring.add_data_options(parser)
    parser.add_argument("--members", type=int, default=5, help="of the committee (5)")
    parser.add_argument("--epochs", type=int, default=30, help="of a member (30)")
    options = measuring.parse(parser, argv, quick={"members": 1, "epochs": 2})
    if not torch.cuda.is_available():
        print("gpu.py: there is no CUDA device here; run it on a machine with one", file=sys.stderr)
        return 2
    report = Report("gpu", options)
    report.facts["cuda"] = torch.version.cuda
    add_members(report, options)
    report.save("cuda")
    add_probe(report, options)
    report.save("cuda")
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
