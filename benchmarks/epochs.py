"""Seconds per epoch of `fit`, against other implementations of the same work.

    python benchmarks/epochs.py --data-dir data --keras-python PYTHON_WITH_KERAS

Runs, for each workload and `--repeats` times, one process each of
    fit          `python cli.py fit` with its config; the `seconds` of metrics.csv
    bare         the same data path, net and settings in a bare PyTorch loop (bare_loop.py)
    torchvision  the usual pipeline, not tuned (torchvision_loop.py)
    keras        the notebook's own Keras code (keras_notebook.py), with --keras-python
Each trains two epochs; the second counts, with its validation. Writing checkpoints and pictures is
excluded everywhere. With --steps N, torchvision takes N steps per epoch and its time is scaled to
all of them, which table and JSON note.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import measuring
from report import Report, Target

FOLDER = Path(__file__).resolve().parent
TARGETS: dict[str, dict[str, Target]] = {
    "dense": {"keras": (">=", 2.0), "bare": ("<=", 1.30)},
    "simple": {"keras": (">=", 2.0), "bare": ("<=", 1.10)},
    "simple_augmented": {"keras": (">=", 2.6), "bare": ("<=", 1.10)},
    "deep": {"keras": (">=", 2.5), "bare": ("<=", 1.05)},
}
CONTENDERS = ("fit", "bare", "torchvision", "keras")
MEMORY_GIB: Target = ("<=", 1.5)  # of `fit deep`


class Epoch(NamedTuple):
    """Time and memory of a contender's last epoch."""

    seconds: float
    peak_gib: float
    facts: dict[str, Any]


def run_fit(options: argparse.Namespace, workload: str) -> Epoch:
    """Runs the real program."""
    run = measuring.fit(options, workload)
    facts = {key: run.results[key] for key in ("hardware", "precision")}
    return Epoch(run.epoch_s, run.child.peak_gib, facts)


def run_script(command: Sequence[str], options: argparse.Namespace) -> Epoch:
    """Runs one of the other scripts, which print JSON on their last line."""
    data = ("--data-dir", str(options.data_dir.resolve()), "--dataset", options.dataset)
    child = measuring.run_child([*command, *data])
    found = json.loads(child.output.splitlines()[-1])
    return Epoch(found.pop("seconds")[-1], child.peak_gib, found)


def contenders(options: argparse.Namespace, workload: str) -> dict[str, Callable[[], Epoch]]:
    """Returns the contenders of a workload, by name."""

    def script(name: str, *more: str, python: str = sys.executable) -> Callable[[], Epoch]:
        return partial(run_script, [python, str(FOLDER / name), workload, *more], options)

    usual = ("--workers", str(options.workers), "--steps", str(options.steps))
    everything: dict[str, Callable[[], Epoch]] = {
        "fit": partial(run_fit, options, workload),
        "bare": script("bare_loop.py"),
        "torchvision": script("torchvision_loop.py", *usual),
    }
    if options.keras_python:
        everything["keras"] = script("keras_notebook.py", python=options.keras_python)
    return {name: run for name, run in everything.items() if name in options.contenders}


def add_workload(report: Report, workload: str, measured: dict[str, list[Epoch]]) -> None:
    """Adds a workload's seconds, its memory, and the ratios to `fit`."""
    seconds = {name: [epoch.seconds for epoch in epochs] for name, epochs in measured.items()}
    for name, epochs in measured.items():
        facts = epochs[0].facts
        scaled = f", scaled from {facts['timed_steps']} steps" if "timed_steps" in facts else ""
        report.add(f"{workload}: {name}{scaled}", seconds[name], "s", **facts)
    if "fit" not in measured:
        return
    for name in [name for name in seconds if name != "fit"]:
        of, to = ("fit", name) if name == "bare" else (name, "fit")
        target = TARGETS[workload].get(name)
        report.ratio(f"{workload}: {of} / {to}", seconds[of], seconds[to], target)
    memory = [epoch.peak_gib for epoch in measured["fit"]]
    report.add(f"{workload}: fit, peak", memory, "GiB", MEMORY_GIB if workload == "deep" else None)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports, saving after each workload."""
    parser = measuring.new_parser(__doc__, "epochs", repeats=3)
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--workloads", nargs="+", choices=TARGETS, default=list(TARGETS), help="(all)")
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="(all)")
    add("--keras-python", metavar="PATH", help="a Python with Keras; else keras is left out")
    add("--workers", type=int, default=0, help="of torchvision's DataLoader (0)")
    add("--steps", type=int, default=0, help="of torchvision's epoch; scaled to all (0: all)")
    options = measuring.parse(parser, argv, quick={"repeats": 1, "workloads": ["dense"]})
    report = Report("epochs", options)
    for workload in options.workloads:
        compared = contenders(options, workload)
        add_workload(report, workload, measuring.alternate(compared, options.repeats))
        report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
