"""Seconds from the start of a process to its end, for commands that should be quick.

    python benchmarks/startup.py --data-dir data

`python -c pass` is Python's own startup, and `import lightning.pytorch` the least that a program
with Lightning takes. The last row is a whole `fit` that ends after its first
training step, without validation. It includes the files that a run writes, so it takes somewhat
longer than the first step.
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
        "import torch": ("-c", "import torch"),
        "import lightning.pytorch": ("-c", "import lightning.pytorch"),
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
    variants = {name: lambda name=name: seconds(name) for name in commands} | {"fit, one step": fit}
    for variant, values in measuring.alternate(variants, options.repeats).items():
        report.add(variant, values, "s")
    report.save()
    report.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
