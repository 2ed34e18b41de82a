"""Cost and accuracy of committees that run as a cascade: one member after another, until sure.

    python benchmarks/cascade.py tb_logs/deep tb_logs/fast

A SYSTEM is a folder of runs, one per seed. `test --model.cascade true` tests their committee:
validation sets the thresholds, and the test set is read once per system, which the committee's
ledger in --log-dir records.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measuring  # first, as it puts this clone on the path
import report

from lit_mnist import files
from lit_mnist.runs.folder import Run


def members(system: Path) -> list[Path]:
    """Lists the checkpoints of a system's runs, one per seed."""
    return sorted(path.resolve() for path in system.glob("seed_*/checkpoints/best.ckpt"))


def tested(system: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Tests a system's committee; returns the facts about the cascade in its `results.json`."""
    paths, log_dir = members(system), options.log_dir.resolve()
    measuring.run_child(
        [
            *(sys.executable, "cli.py", "test", "--model", "EnsembleModule"),
            *("--model.checkpoints", json.dumps([str(path) for path in paths])),
            *("--model.cascade", "true", "--name", system.name, "--log_dir", str(log_dir)),
            *(
                "--data.dataset",
                options.dataset,
                "--data.data_dir",
                str(options.data_dir.resolve()),
            ),
            *("--data.download", "false", "--trainer.accelerator", "cpu"),
        ]
    )
    found = Run.of_committee(log_dir, system.name, len(paths)).results()
    return {
        "members": len(paths),
        "trained_on": Run(paths[0].parents[1]).results().get("hardware"),
        "test_reads": found["test_reads"],
        "committee_test_errors": found["test_errors"],
        **{key: found[key] for key in ("cascade", "hardware", "versions")},
    }


HEAD = """# Members asked one after another

Written by `benchmarks/cascade.py` at commit {commit}. Thresholds are set so that no answer changes
on the validation images; what becomes of the test images is reported, and nothing is chosen by it.
Seconds are those of all test images, both ways in turns, batch by batch.

| committee | validation: members an image | changed | test: members an image | changed | \
test errors: cascade, all | seconds: cascade, all |
|---|---|---|---|---|---|---|
"""


def markdown(facts: dict[str, Any]) -> str:
    """Writes the table, one line per system."""
    rows = facts["systems"]
    used = {f"{row['hardware']}; torch {row['versions']['torch']}" for row in rows.values()}
    lines = [_line(f"{row['members']} {name}", row) for name, row in rows.items()]
    return "\n".join([HEAD.format(**facts) + lines[0], *lines[1:], "", f"{'; '.join(used)}.", ""])


def _line(name: str, row: dict[str, Any]) -> str:
    found = row["cascade"]
    cost = [
        f"{found[split]['members_per_image']:.3f} | {found[split]['changed']}"
        for split in ("val", "test")
    ]
    errors = f"{found['test']['errors']}, {row['committee_test_errors']}"
    spent = found["test_seconds"]
    return f"| {' | '.join([name, *cost, errors])} | {spent['in_turn']:.1f}, {spent['all']:.1f} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Tests and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    measuring.add_data_options(parser)
    add = parser.add_argument
    add("systems", nargs="+", type=Path, metavar="SYSTEM", help="a folder of runs: tb_logs/deep")
    add("--log-dir", type=Path, default=Path("tb_logs"), help="of the committees (tb_logs)")
    output = measuring.ROOT / "results" / "cascade.json"
    add("--output", type=Path, default=output, help="JSON (results/cascade.json); .md beside it")
    options = parser.parse_args(argv)
    for system in options.systems:
        if len(members(system)) < 2:
            parser.error(f"{system}: holds no two trained runs, such as {system / 'seed_42'}")
    facts: dict[str, Any] = {"benchmark": "cascade", "commit": report.commit()}
    facts["systems"] = {system.name: tested(system, options) for system in options.systems}
    files.write_json(options.output, facts)
    files.write_text(options.output.with_suffix(".md"), markdown(facts))
    print(markdown(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
