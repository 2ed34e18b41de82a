"""Puts the figures of benchmarks/results/*.json into benchmarks/README.md, and draws its pictures.

    python benchmarks/table.py

Replaces what stands between the two marks of the README; a result of --quick is left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pictures
from measuring import ROOT

from lit_mnist.reports import figures

FOLDER = ROOT / "benchmarks"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
PICTURES = {"epochs": pictures.epochs, "operators": pictures.profile}  # by what they are drawn of
HEAD = "| | n | median | min to max | target |\n|---|---|---|---|---|"


def section(result: dict[str, Any]) -> str:
    """Gives a benchmark's figures in Markdown, under what they were measured with."""
    versions = ", ".join(f"{k} {result['versions'][k]}" for k in ("torch", "lightning"))
    place = f"{result['hardware']}, {result['cores']} cores; {versions}"
    when = f"commit {result['commit']}, {result['date'][:10]}"
    lines = [f"**{result['benchmark']}**: {place}; {when}", "", HEAD]
    return "\n".join(lines + [_line(row) for row in result["rows"]])


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


def filled(text: str, folder: Path) -> str:
    """Gives the README with the figures of a folder of results between its marks."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    body = "\n\n".join(map(section, read(folder))) or "Nothing has been measured yet."
    return f"{before}{BEGIN}\n{body}\n{END}{after}"


def main() -> int:
    """Fills the README and draws."""
    readme = FOLDER / "README.md"
    readme.write_text(filled(readme.read_text(), FOLDER / "results"))
    for name, draw in PICTURES.items():
        results = [each for each in read(FOLDER / "results") if each["benchmark"] == name]
        if results:
            rows = [row for result in results for row in result["rows"]]
            picture = draw(results[0] | {"rows": rows})
            figures.save(picture, FOLDER / "results" / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
