"""Time of training a committee's members in parallel, one thread each, or one after another.

    python benchmarks/jobs.py --data-dir data

Runs `committee` twice per workload and round: with `--jobs 1`, one member after another on all
cores, and with `--jobs CORES`, one per core. Measures the whole command with `--skip_test`:
startup, training, and the committee's validation.
"""

import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from functools import partial

import measuring  # first, as it puts this clone on the path
from report import Report, Target

from lit_mnist.doctor.cores import cores

WORKLOADS = ("dense", "simple", "simple_augmented", "deep")
SOONER: Target = (">=", 1.15)


def seconds(options: Namespace, workload: str, jobs: int) -> float:
    """Returns the seconds of `committee` with so many members at a time."""
    with tempfile.TemporaryDirectory() as log_dir:
        command = [
            *(sys.executable, "cli.py", "committee", "--config", f"configs/{workload}.yaml"),
            *("--members", str(options.members), "--jobs", str(jobs), "--skip_test"),
            *("--log_dir", log_dir, "--trainer.max_epochs", str(options.epochs)),
            *("--data.data_dir", str(options.data_dir.resolve()), "--data.download", "false"),
            *("--data.dataset", options.dataset, "--trainer.accelerator", "cpu"),
        ]
        return measuring.run_child(command, threads=options.cores).seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports, saving after each workload."""
    parser = measuring.new_parser(__doc__, "jobs", repeats=3)
    measuring.add_data_options(parser)
    add, usable = parser.add_argument, cores().usable
    add("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="(all)")
    add("--members", type=int, default=4, help="of each committee (4)")
    add("--epochs", type=int, default=2, help="of each member (2)")
    add("--cores", type=int, default=usable, help=f"members at once, and threads ({usable})")
    quick = {"repeats": 1, "members": 2, "epochs": 1, "workloads": ["dense"]}
    options = measuring.parse(parser, argv, quick)
    report = Report("jobs", options)
    for name in options.workloads:
        variants = {
            "one after the other": partial(seconds, options, name, 1),
            "at once": partial(seconds, options, name, options.cores),
        }
        measured = measuring.alternate(variants, options.repeats)
        for variant, values in measured.items():
            report.add(f"{name}: {variant}", values, "s")
        first, second = measured.values()
        report.ratio(f"{name}: one after the other / at once", first, second, SOONER)
        report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
