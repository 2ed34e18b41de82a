"""What the benchmarks share: options, alternating measurements, child processes, running `fit`.

Scripts import this before `lit_mnist`: it puts its own clone first on the path, so that an
installed copy is never measured instead.
"""

import argparse
import csv
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

K = TypeVar("K")
T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
DATASETS = ("MNIST", "FashionMNIST", "KMNIST")  # of equal form


def new_parser(doc: str | None, name: str, repeats: int) -> argparse.ArgumentParser:
    """Returns a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--repeats",
        type=int,
        default=repeats,
        help=f"rounds; each measures all contenders ({repeats})",
    )
    add(
        "--quick",
        action="store_true",
        help="only check that it works; the JSON goes to the temporary folder",
    )
    result = ROOT / "benchmarks" / "results" / f"{name}.json"
    add("--output", type=Path, default=result, help=f"the JSON ({result.relative_to(ROOT)})")
    return parser


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the folder of the images, which are never downloaded."""
    folder = Path("data")
    parser.add_argument("--data-dir", type=Path, default=folder, help="as for fit (data)")
    parser.add_argument("--dataset", choices=DATASETS, default="MNIST", help="(MNIST)")


def parse(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, quick: Mapping[str, Any]
) -> argparse.Namespace:
    """Parses the options; `--quick` changes the defaults of the others."""
    argv = sys.argv[1:] if argv is None else argv
    if "--quick" in argv:
        output = Path(tempfile.gettempdir(), parser.get_default("output").name)
        parser.set_defaults(**{"output": output, **quick})
    return parser.parse_args(argv)


def program(main: Callable[[], int]) -> int:
    """Returns a benchmark's exit status; errors that the user can fix get one line and status 2."""
    from lit_mnist.errors import UserError, one_line

    try:
        return main()
    except UserError as error:
        print(one_line(error).replace("--data.data_dir", "--data-dir"), file=sys.stderr)
        return 2


def alternate(contenders: Mapping[K, Callable[[], T]], repeats: int) -> dict[K, list[T]]:
    """Measures all contenders alternately, A B A B, so that a slow spell affects each of them."""
    measured: dict[K, list[T]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, measure in contenders.items():
            measured[name].append(measure())
    return measured


# Starts a program and reports its seconds, status and memory. The system counts as a program's own
# what its parent held when it was forked: this parent is small, a benchmark's process may be large.
_SMALL_PARENT = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - began
with open(sys.argv[1], "w") as file:
    json.dump([seconds, os.waitstatus_to_exitcode(status), usage.ru_maxrss], file)
"""


class Child(NamedTuple):
    """A process that has succeeded."""

    seconds: float  # from its start to its end
    peak_gib: float  # its largest resident set
    output: str


def run_child(command: Sequence[str], threads: int | None = None) -> Child:
    """Runs a program in the clone's root, with `threads` OpenMP threads if given."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as error_file,
        tempfile.NamedTemporaryFile("r") as ended,
    ):
        parent = [sys.executable, "-I", "-S", "-c", _SMALL_PARENT, ended.name]
        subprocess.run(
            [*parent, *command],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=error_file,
            check=True,
        )
        seconds, status, largest = json.load(ended)
        out.seek(0)
        error_file.seek(0)
        if status:
            stderr = error_file.read()[-2000:]
            raise SystemExit(f"{shlex.join(command)}: exit {status}\n{stderr}")
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
        return Child(seconds, largest * unit / 2**30, out.read())


class Fit(NamedTuple):
    """A run of the real program."""

    rows: list[dict[str, float]]  # of its metrics.csv, one an epoch
    results: dict[str, Any]  # its results.json
    child: Child

    @property
    def epoch_s(self) -> float:
        """The seconds of its last epoch."""
        return self.rows[-1]["seconds"]


def fit(
    options: argparse.Namespace,
    config: str,
    *arguments: str,
    threads: int | None = None,
    epochs: int = 2,
) -> Fit:
    """Runs `python cli.py fit` with a config, in a temporary folder."""
    with tempfile.TemporaryDirectory() as log_dir:
        command = [
            *(sys.executable, "cli.py", "fit", "--config", f"configs/{config}.yaml"),
            *("--name", "run", "--log_dir", log_dir, "--trainer.max_epochs", str(epochs)),
            *("--data.data_dir", str(options.data_dir.resolve()), "--data.download", "false"),
            *("--data.dataset", options.dataset, "--trainer.accelerator", "cpu", *arguments),
        ]
        child = run_child(command, threads)
        (folder,) = Path(log_dir, "run").iterdir()
        results = json.loads((folder / "results.json").read_text())
        with (folder / "metrics.csv").open(newline="") as file:
            rows = [
                {k: float(v or math.nan) for k, v in row.items()} for row in csv.DictReader(file)
            ]
    return Fit(rows, results, child)
