"""The command `report`: one HTML file about a run, a committee, a sweep, or several runs."""

import argparse
import sys

from lit_mnist import files
from lit_mnist.errors import UserError
from lit_mnist.reports import page, page_facts, run_names, sweep_page
from lit_mnist.sweep import record


def run(options: argparse.Namespace) -> None:
    """Runs the command with the options of `parsers.Report`."""
    output = options.output or options.runs[0] / "report.html"
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder; name a file in it, such as report.html")
    if files.is_irregular(output):
        raise UserError(f"--output {output}: is no regular file; choose another name")
    if output.exists() and not _is_report(output):
        raise UserError(f"--output {output}: exists and is no report of ours; choose another name")
    sweeps = [folder for folder in options.runs if (folder / record.NAME).is_file()]
    if sweeps and len(options.runs) > 1:
        raise UserError(f"{sweeps[0]}: a sweep has a page of its own; report it alone")
    if sweeps:
        text = sweep_page.html(record.Record.read(sweeps[0]))
    else:
        named = zip(options.runs, run_names.of_folders(options.runs), strict=True)
        facts = [page_facts.read(folder)._replace(name=name) for folder, name in named]
        for problem in [one.damaged for one in facts if one.damaged]:
            print(problem, file=sys.stderr)
        text = page.html(facts)
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(output, text)
    print(f"{output}: open it in a browser; it is self-contained")


def _is_report(path: object) -> bool:
    """Whether a file may be replaced, which only an earlier report may."""
    with open(str(path), "rb") as file:
        return b'name="generator" content="lit_mnist report"' in file.read(1000)
