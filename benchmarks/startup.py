"""Seconds from the start of a process to its end, for what should be quick.

    python benchmarks/startup.py --data-dir data

`python -c pass` is what Python itself takes. The last row is a whole `fit` that ends after its
first training step, without validation; all that a run writes is in it, so it is somewhat more than
the time to the step.
"""

import sys
from collections.abc import Sequence

import measuring
from report import Report


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "startup", repeats=10)
    measuring.add_data_options(parser)
    options = measuring.parse(parser, argv, quick={"repeats": 1})
    commands = {
        "python -c pass": ("-c", "pass"),
        "import lit_mnist": ("-c", "import lit_mnist"),
        "cli.py --help": ("cli.py", "--help"),
        "cli.py --version": ("cli.py", "--version"),
    }

    def seconds(name: str) -> float:
        return measuring.run_child([sys.executable, *commands[name]]).seconds

    def fit() -> float:
        one_step = ("--trainer.max_steps", "1", "--trainer.limit_val_batches", "0")
        return measuring.fit(options, "dense", *one_step, epochs=1).child.seconds

    report = Report("startup", options)
    ways = {name: lambda name=name: seconds(name) for name in commands} | {"fit, one step": fit}
    for way, values in measuring.alternate(ways, options.repeats).items():
        report.add(way, values, "s")
    report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
