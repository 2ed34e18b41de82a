"""Puts the figures of benchmarks/results/*.json into benchmarks/README.md.

    python benchmarks/table.py

Replaces what stands between the two marks of the README; a result of --quick is left out.
"""

import json
import sys
from pathlib import Path
from typing import Any

from measuring import ROOT

FOLDER = ROOT / "benchmarks"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
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


def filled(text: str, folder: Path) -> str:
    """Gives the README with the figures of a folder of results between its marks."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    sections = [section(result) for result in results if not result["options"]["quick"]]
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    body = "\n\n".join(sections) or "Nothing has been measured yet."
    return f"{before}{BEGIN}\n{body}\n{END}{after}"


def main() -> int:
    """Fills the README."""
    readme = FOLDER / "README.md"
    readme.write_text(filled(readme.read_text(), FOLDER / "results"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
