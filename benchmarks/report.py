"""The report of a benchmark: a table on the terminal, and JSON with versions and hardware."""

import argparse
import operator
import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from measuring import ROOT  # first, as it puts this clone on the path

from lit_mnist import files
from lit_mnist.machine import hardware

Target = tuple[str, float]  # such as (">=", 1.3)
VERDICTS = {True: "met", False: "MISSED", None: ""}
COMPARE: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}


class Report:
    """Collects what a benchmark measures; prints it as a table and writes it as JSON.

    Args:
        name: The benchmark.
        options: Its command line; `output` is where the JSON goes.
    """

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.output: Path = options.output
        self.rows: list[dict[str, Any]] = []
        shown = {key: _placeless(value) for key, value in vars(options).items() if key != "output"}
        self.facts: dict[str, Any] = {
            "benchmark": name,
            "options": shown,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "load_before": os.getloadavg()[0],  # near 0: nothing else was running
        }

    def add(
        self,
        what: str,
        values: Sequence[float],
        unit: str,
        target: Target | None = None,
        **facts: Any,
    ) -> None:
        """Adds a figure that was measured len(values) times."""
        row = {"what": what, "unit": unit, "n": len(values), "median": statistics.median(values)}
        row |= {"min": min(values), "max": max(values), "values": list(values), **facts}
        if target:
            sign, limit = target
            row["target"] = f"{sign} {limit:g}"
            if not self.facts["options"]["quick"]:  # which says nothing about speed
                row["met"] = COMPARE[sign](statistics.median(values), limit)
        self.rows.append(row)

    def ratio(
        self,
        what: str,
        values: Sequence[float],
        base: Sequence[float],
        target: Target | None = None,
    ) -> None:
        """Adds the ratios of two contenders, pair by pair as they were measured."""
        self.add(what, [a / b for a, b in zip(values, base, strict=True)], "ratio", target)

    def save(self, device: str = "cpu", precision: str = "") -> None:
        """Writes the JSON with versions and hardware, whole or not at all.

        Args:
            device: What was measured on.
            precision: As of a Trainer; that of `fit` by default.
        """
        name = hardware.device_name(torch.device(device))
        precision = precision or hardware.precision(torch.device(device).type)
        machine = {"hardware": name, "cores": os.cpu_count(), "precision": precision}
        facts = self.facts | machine | {"versions": hardware.versions()}
        files.write_json(self.output, facts | {"rows": self.rows})

    def show(self) -> None:
        """Prints the table."""
        width = max(len(row["what"]) for row in self.rows)
        print(f"{'':{width}}  {'unit':<8} {'n':>3} {'median':>10} {'min':>10} {'max':>10}  target")
        for row in self.rows:
            figures = " ".join(f"{row[key]:>10.4g}" for key in ("median", "min", "max"))
            verdict = " ".join(filter(None, [row.get("target"), VERDICTS[row.get("met")]]))
            print(f"{row['what']:{width}}  {row['unit']:<8} {row['n']:>3} {figures}  {verdict}")
        print(f"written to {self.output}")


def _placeless(value: Any) -> Any:
    """Shortens an absolute path to its last part, as folders of this machine mean nothing."""
    if not isinstance(value, (str, Path)):
        return value
    return Path(value).name if Path(value).is_absolute() else str(value)


def commit() -> str:
    """Returns the commit and whether files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return process.stdout.strip() or "unknown"
