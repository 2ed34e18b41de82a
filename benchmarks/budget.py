"""Where the time of an epoch of `fit` goes, against the lower limit on the same machine.

    python benchmarks/budget.py --data-dir data

The limit is the time of the epoch's convolutions and matrix products alone, in the precision of
`fit` and in the faster of the two memory layouts (budget_limit.py). Each round measures, for each
workload, the limit, a bare PyTorch loop (bare_loop.py), the last epoch of `fit`, and its parts by
Lightning's SimpleProfiler. That runs apart, as it takes time itself, in each step. The parts of an
epoch, in seconds:

    convolutions, matrix products   of training: the limit
    other operators                 the rest of the bare loop's training
    validation                      its forward passes, losses and batches
    checkpoints, logging            what is written behind each epoch
    Lightning and Python            the remainder; noise can make it negative

The picture beside the JSON shows a bar of these parts per workload, with the limit as a line.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import measuring  # first, as it puts this clone on the path
import pictures
from bare_loop import NETS, Loop
from budget_limit import LIMIT, Parts, limit
from convolutions import milliseconds
from report import Report, Target

from lit_mnist.reports import figures
from lit_mnist.runs import entries

REST = "Lightning and Python"
PARTS = (*LIMIT, "other operators", "validation", "checkpoints", "logging", REST)
VALIDATION = ("[Strategy]SingleDeviceStrategy.validation_step", "[_EvaluationLoop].val_next")
# What comes behind an epoch's `seconds`: checkpoints, and the values and pictures of the epoch
BEHIND = tuple(f"[Callback]{name}.on_train_epoch_end" for name in (entries.BEST, entries.LAST))
TARGETS: dict[str, Target] = {
    "dense": (">=", 0.65),
    "simple": (">=", 0.75),
    "simple_augmented": (">=", 0.75),
    "deep": (">=", 0.85),
}


def profiled(options: argparse.Namespace, workload: str) -> Parts:
    """Runs `fit` under a profiler and returns the parts that `by_part` finds."""
    with tempfile.TemporaryDirectory() as folder:
        profiler = "lightning.pytorch.profilers.SimpleProfiler"
        output = ("--trainer.profiler.dirpath", folder, "--trainer.profiler.filename", "actions")
        fit = measuring.fit(
            options, workload, "--trainer.profiler", profiler, *output, epochs=options.epochs
        )
        (path,) = Path(folder).glob("*.txt")
        lines = [line.split("|") for line in path.read_text().splitlines()]
    rows = [cells for cells in lines if len(cells) == 7]
    totals = {cells[1].strip(): cells[4] for cells in rows}  # by action
    return by_part(totals, len(fit.rows))


def by_part(totals: Mapping[str, str], epochs: int) -> Parts:
    """Returns the mean seconds in an epoch of validation, saving and logging.

    Args:
        totals: The profiler's actions, with the seconds of each in the whole run, as printed.
        epochs: Of the run.

    Raises:
        KeyError: An action is missing; Lightning or a callback has given it another name.
    """
    validation = sum(float(totals[name]) for name in VALIDATION)
    saving = float(totals["save_checkpoint"])
    behind = sum(float(totals[name]) for name in BEHIND)
    seconds = {"validation": validation, "checkpoints": saving, "logging": behind - saving}
    return {part: value / epochs for part, value in seconds.items()}


def last_epoch(options: argparse.Namespace, workload: str) -> Parts:
    """Runs `fit` and times its last epoch, without what is written behind it."""
    return {"fit": measuring.fit(options, workload, epochs=options.epochs).epoch_s}


def train(loop: Loop) -> Parts:
    """Times a bare loop's training."""
    return {"bare": milliseconds(loop.train, 1) / 1000}


def split(lower: Parts, bare: Parts, fit: Parts, profile: Parts) -> Parts:
    """Divides an epoch of `fit`, with what is written behind it, into `PARTS`."""
    parts = {part: lower[part] for part in LIMIT}
    parts["other operators"] = bare["bare"] - sum(parts.values())
    parts["validation"] = profile["validation"]
    rest = fit["fit"] - sum(parts.values())
    return parts | {part: profile[part] for part in ("checkpoints", "logging")} | {REST: rest}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports, saving after each workload."""
    parser = measuring.new_parser(__doc__, "budget", repeats=5)
    measuring.add_data_options(parser)
    parser.add_argument("--workloads", nargs="+", choices=NETS, default=list(NETS), help="(all)")
    parser.add_argument("--epochs", type=int, default=2, help="of fit, in each round (2)")
    parser.add_argument("--times", type=int, default=20, help="calls per kernel of the limit (20)")
    quick = {"repeats": 1, "times": 1, "epochs": 1, "workloads": ["dense"]}
    options = measuring.parse(parser, argv, quick)
    report = Report("budget", options)
    for name in options.workloads:
        loop = Loop(name, str(options.data_dir), options.dataset)
        variants: dict[str, Callable[[], Parts]] = {
            "limit": partial(limit, name, loop.data, loop.settings, options.times),
            "bare": partial(train, loop),
            "fit": partial(last_epoch, options, name),
            "profile": partial(profiled, options, name),
        }
        measured = measuring.alternate(variants, options.repeats)
        epochs = [split(*one) for one in zip(*measured.values(), strict=True)]
        for part in PARTS:
            report.add(f"{name}: {part}", [epoch[part] for epoch in epochs], "s")
        totals = [sum(parts.values()) for parts in epochs]
        report.add(f"{name}: an epoch", totals, "s")
        lower = [sum(one.values()) for one in measured["limit"]]
        report.add(f"{name}: {pictures.LIMIT}", lower, "s")
        report.ratio(f"{name}: fraction of the limit", lower, totals, TARGETS[name])
        report.save()
    figures.save(pictures.budget(report.rows, PARTS), options.output.with_suffix(".png"))
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
