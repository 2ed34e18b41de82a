"""Writes the figures of benchmarks/results/*.json as Markdown, and draws the charts.

    python benchmarks/table.py

Replaces the text between the marks of README.md (whole epochs, in short) and figures.md (all
figures). Results of --quick are left out. Those of a machine without bfloat16 are in results/avx2/.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import budget
import pictures
from measuring import ROOT

from lit_mnist.reports import figures

FOLDER = ROOT / "benchmarks"
MARKS = "<!-- {} -->\n", "<!-- end of {} -->"
PICTURES = {  # by what they are drawn of
    "epochs": pictures.epochs,
    "operators": pictures.profile,
    "budget": lambda result: pictures.budget(result["rows"], budget.PARTS),
}
HEAD = "| | n | median | min to max | target |\n|---|---|---|---|---|"
# Of the short table, by what the rows of epochs.py and budget.py are called
COLUMNS = {
    "fit": "`fit`: an epoch",
    "keras / fit": "Keras / `fit`",
    "torchvision / fit": "torchvision / `fit`",
    "fit / bare": "`fit` / bare",
    "fraction of the limit": "limit / `fit`",
}


def summary(results: list[dict[str, Any]]) -> str:
    """Returns whole epochs in Markdown, one line per system."""
    kinds = ("epochs", "budget")
    measured = [result for kind in kinds for result in results if result["benchmark"] == kind]
    systems: dict[str, dict[str, Any]] = {}
    for result in measured:
        for row in result["rows"]:
            system, _, name = row["what"].partition(": ")
            systems.setdefault(system, {"commit": result["commit"]})[name] = row
    heads = " | ".join(COLUMNS.values())
    lines = [f"| system | n | {heads} | commit |", "|---" * (len(COLUMNS) + 3) + "|"]
    for system, rows in systems.items():
        cells = " | ".join(_cell(rows[name]) if name in rows else "" for name in COLUMNS)
        lines.append(f"| {system} | {rows['fit']['n']} | {cells} | {rows['commit']} |")
    days: dict[str, set[str]] = {}  # by conditions
    for result in measured:
        days.setdefault(_conditions(result), set()).add(result["date"][:10])
    return "\n".join([*lines, "", *(f"{one}, {' and '.join(sorted(days[one]))}" for one in days)])


def _cell(row: dict[str, Any]) -> str:
    median, low, high = (_figure(row[key]) for key in ("median", "min", "max"))
    unit = f" {row['unit']}" if row["unit"] != "ratio" else ""
    missed = f"; missed {row['target']}" if row.get("met") is False else ""
    return f"{median}{unit} ({low} to {high}){missed}"


def section(result: dict[str, Any]) -> str:
    """Returns a benchmark's figures in Markdown, under the conditions of the measurement."""
    conditions = f"{_conditions(result)}, {result['date'][:10]}"
    lines = [f"**{result['benchmark']}**: {conditions}", "", HEAD]
    return "\n".join(lines + [_line(row) for row in result["rows"]])


def _conditions(result: dict[str, Any]) -> str:
    """Returns hardware, versions, commit and, except for old results, the precision of `fit`."""
    place = [result["hardware"], f"{result['cores']} cores"]
    place += [result["precision"]] if "precision" in result else []
    versions = [f"{name} {result['versions'][name]}" for name in ("torch", "lightning")]
    return f"{', '.join(place)}; {', '.join(versions)}; commit {result['commit']}"


def _line(row: dict[str, Any]) -> str:
    unit = f" {row['unit']}" if row["unit"] not in ("", "ratio") else ""
    median, low, high = (_figure(row[key]) for key in ("median", "min", "max"))
    target = row.get("target", "")
    if "met" in row:
        target += ", met" if row["met"] else ", **missed**"
    return f"| {row['what']} | {row['n']} | {median}{unit} | {low} to {high} | {target} |"


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def read(folder: Path) -> list[dict[str, Any]]:
    """Reads a folder of results."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [result for result in results if not result["options"]["quick"]]


def filled(text: str, name: str, body: str) -> str:
    """Replaces the body between the marks of a name."""
    begin, end = (mark.format(name) for mark in MARKS)
    before, _, after = text.partition(begin)
    return (
        f"{before}{begin}{body or 'Nothing has been measured yet.'}\n{end}{after.partition(end)[2]}"
    )


def bodies(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yields each text made of a folder's results, after its file and the name of its marks."""
    for suffix, results in (("", read(folder)), (" avx2", read(folder / "avx2"))):
        yield "README.md", f"summary{suffix}", summary(results)
        yield "figures.md", f"table{suffix}", "\n\n".join(map(section, results))


def main() -> int:
    """Fills the tables, and draws the results of each benchmark's newest commit."""
    results = read(FOLDER / "results")
    for file, name, body in bodies(FOLDER / "results"):
        path = FOLDER / file
        path.write_text(filled(path.read_text(), name, body))
    for name, draw in PICTURES.items():
        if measured := [one for one in results if one["benchmark"] == name]:
            newest = max(measured, key=lambda one: one["date"])
            drawn = [one for one in measured if one["commit"] == newest["commit"]]
            rows = [row for result in drawn for row in result["rows"]]
            figures.save(draw(newest | {"rows": rows}), FOLDER / "results" / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
