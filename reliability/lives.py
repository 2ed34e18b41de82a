"""Shared by the checks: runs of the real program that may be killed, and their results."""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this clone rather than an installed package

import torch  # noqa: E402 # this clone must stand first on the path

from lit_mnist import files  # noqa: E402 # likewise
from lit_mnist.machine import hardware  # noqa: E402 # likewise
from lit_mnist.runs import checkpoints, digests  # noqa: E402 # likewise

# What is started in a shell's background ignores Ctrl-C, and so would all that it starts
signal.signal(signal.SIGINT, signal.default_int_handler)

# Allowed exit statuses: success, user error, Ctrl-C, SIGTERM, SIGKILL
STATUSES = (0, 2, 128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGKILL)


class Ended(NamedTuple):
    """A process that has ended."""

    status: int
    output: str  # standard output and error


def command(name: str, log_dir: Path, options: argparse.Namespace, *arguments: str) -> list[str]:
    """Returns a command of the program on a run; `arguments` begin with the command's name."""
    return [
        *(
            sys.executable,
            str(ROOT / "cli.py"),
            *arguments,
            "--name",
            name,
            "--log_dir",
            str(log_dir),
        ),
        *("--data.data_dir", str(options.data_dir), "--data.download", "false"),
        *("--trainer.accelerator", "cpu"),
    ]


def run(
    arguments: Sequence[str], kill_after_s: float | None = None, number: int = signal.SIGKILL
) -> Ended:
    """Runs a command; sends it a signal after some seconds if it still runs."""
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        output, _ = process.communicate()
    wait_for_group(process.pid)
    return Ended(process.returncode, output)


def wait_for_group(group: int, seconds: float = 60) -> bool:
    """Waits until no process of the group is left; returns whether it ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def fingerprint(folder: Path) -> str:
    """Hashes a run's final state: weights, optimiser, rates, metrics.csv without seconds."""
    checkpoint = checkpoints.read(folder / "checkpoints" / "last.ckpt")
    states = checkpoint["optimizer_states"][0]["state"]
    tensors = {f"{i}.{key}": value for i, state in states.items() for key, value in state.items()}
    rows = (folder / "metrics.csv").read_text().splitlines()
    facts = [
        digests.of_weights(checkpoint["state_dict"] | tensors),
        json.dumps(checkpoint["lr_schedulers"], default=str),
        *(row.rpartition(",")[0] for row in rows),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def new_parser(doc: str | None) -> argparse.ArgumentParser:
    """Returns a parser with the options that every check has."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data-dir", type=Path, default=ROOT / "data", help="as for fit (data)")
    add("--seed", type=int, default=0, help="of the random moments (0)")
    add("--output", type=Path, default=ROOT / "results", help="folder for the figures (results)")
    return parser


def report(options: argparse.Namespace, name: str, figures: dict[str, Any]) -> int:
    """Writes the figures, and `reliability.md` from those of all checks.

    Args:
        options: The command line.
        name: The check.
        figures: What it counted; `bad` is what must be zero.

    Returns:
        The exit status: 0 if nothing was bad.
    """
    path = options.output / "reliability.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    made = {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    made |= {"hardware": hardware.device_name(torch.device("cpu")), "commit": commit()}
    known[name] = figures | made | {"versions": hardware.versions()}
    files.write_json(path, known)
    files.write_text(options.output / "reliability.md", markdown(known))
    print(json.dumps(figures, indent=2))
    return int(any(figures["bad"].values()))


def commit() -> str:
    """Returns the abbreviated commit of this clone, with `-dirty` if files were changed since."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    process = subprocess.run(git, capture_output=True, text=True, check=False)
    return process.stdout.strip() or "unknown"


def markdown(known: dict[str, Any]) -> str:
    """Writes the report of all checks."""
    lines = ["# Reliability", "", "Written by the scripts in `reliability/`, on real MNIST.", ""]
    for name, figures in known.items():
        lines += [f"## {name}", "", figures["what"], "", "| | |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in figures["counted"].items()]
        lines += [f"| {key} (must be 0) | **{value}** |" for key, value in figures["bad"].items()]
        versions = ", ".join(f"{k} {figures['versions'][k]}" for k in ("torch", "lightning"))
        made = f"{figures['hardware']}; {versions}; commit {figures.get('commit', 'not recorded')}"
        lines += ["", f"`{figures['command']}`; {made}; {figures['date'][:10]}.", ""]
    return "\n".join(lines)
