"""Cost of a committee by its size: time and memory of its test, and disk space.

    python benchmarks/committee_size.py --runs tb_logs/toy --data-dir data --dataset KMNIST \
        --model examples.my_net.TinyModule

Tests the first 1, 5 and 50 of the members that are already trained, each size in its own process.
The figures for a thousand members are extrapolated linearly from the two largest sizes, not
measured.
"""

import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import measuring  # first, as it puts this clone on the path
from report import Report

MANY = 1_000


def test(options: Namespace, size: int) -> measuring.Child:
    """Tests the first members together; of one, the member itself."""
    found = sorted(options.runs.glob("seed_*/checkpoints/best.ckpt"), key=seed)
    paths = [str(path.resolve()) for path in found[:size]]
    if len(paths) < size:
        raise SystemExit(f"{options.runs}: has {len(found)} members; train {size} with committee")
    several = ("EnsembleModule", "--model.classes", options.model, "--model.checkpoints")
    which = (*several, repr(paths)) if size > 1 else (options.model, "--ckpt_path", *paths)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "cli.py", "test", "--model", *which),
            *("--name", "size", "--log_dir", folder, "--trainer.accelerator", "cpu"),
            *(
                "--data.dataset",
                options.dataset,
                "--data.data_dir",
                str(options.data_dir.resolve()),
            ),
        ]
        return measuring.run_child(command, threads=1)


def seed(path: Path) -> int:
    """Returns the seed of a member."""
    return int(path.parent.parent.name.removeprefix("seed_"))


def disk_mb(options: Namespace) -> float:
    """Returns the mean size of a member's folder, in MB."""
    members = list(options.runs.glob("seed_*"))
    sizes = [path.stat().st_size for one in members for path in one.rglob("*") if path.is_file()]
    return sum(sizes) / len(members) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    parser = measuring.new_parser(__doc__, "committee_size", repeats=3)
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("--runs", type=Path, default=Path("tb_logs/toy"), help="with members (tb_logs/toy)")
    add("--model", default="examples.my_net.TinyModule", help="their class")
    add("--members", type=int, nargs="+", default=[1, 5, 50], help="sizes, ascending (1 5 50)")
    options = measuring.parse(parser, argv, quick={"repeats": 1, "members": [1, 2]})
    report = Report("committee_size", options)
    variants = {size: partial(test, options, size) for size in options.members}
    measured = measuring.alternate(variants, options.repeats)
    seconds = {size: [one.seconds for one in found] for size, found in measured.items()}
    memory = {size: [one.peak_gib for one in found] for size, found in measured.items()}
    for what, unit, values in (("test", "s", seconds), ("peak of a test", "GiB", memory)):
        for size in options.members:
            report.add(f"{what}, {size} members", values[size], unit)
        report.add(f"{what}, {MANY} members (worked out)", extrapolated(values), unit)
    report.add("disk of a member", [disk_mb(options)], "MB")
    report.save()
    report.show()
    return 0


def extrapolated(values: dict[int, list[float]]) -> list[float]:
    """Extrapolates linearly from the two largest sizes, for each round."""
    few, several = sorted(values)[-2:]
    pairs = zip(values[few], values[several], strict=True)
    return [last + (last - first) / (several - few) * (MANY - several) for first, last in pairs]


if __name__ == "__main__":
    sys.exit(main())
