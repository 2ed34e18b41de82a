"""The two commands at the head of scripts/committee.sbatch, as a user types them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CONFIGS

ROOT = Path(CONFIGS).parent.resolve()
SCRIPT = ROOT / "scripts" / "committee.sbatch"
HERE = Path(__file__).parent
# Records its arguments and exits with the next line of its member's file
PYTHON = """echo "$@" >> calls
ends="ends_$3"; [ "$2" = --member ] || ends=none
status=$(head -n 1 "$ends" 2> /dev/null); sed -i 1d "$ends" 2> /dev/null
exit "${status:-0}"
"""


@pytest.fixture
def cluster(here, monkeypatch):
    """A working folder with `scripts/`, and stubs of SLURM's programs and of Python on the path."""
    programs = here / "bin"
    programs.mkdir()
    for name, content in {
        "sbatch": f'exec {sys.executable} -S {HERE}/stub_sbatch.py "$@"',
        "srun": f'exec {sys.executable} -S {HERE}/stub_srun.py "$@"',
        "scontrol": 'echo "$@" >> requeues',
        "python": f"shift\n{PYTHON}",  # without cli.py
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{content}\n")
        (programs / name).chmod(0o755)
    (here / "scripts").symlink_to(SCRIPT.parent)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TASKS", "1")
    monkeypatch.setenv("AT_ONCE", "5")
    return here


def submitted():
    """Runs the commands; returns the exit status."""
    lines = SCRIPT.read_text().splitlines()
    typed = [line.removeprefix("#   ") for line in lines if line.startswith("#   ")]
    assert len(typed) == 2
    return subprocess.run(["bash", "-ec", "\n".join(typed)], check=False).returncode


def calls():
    return sorted(Path("calls").read_text().splitlines())


MEMBERS = [f"committee --member {k} --config configs/deep.yaml" for k in range(5)]
AVERAGE = "committee --config configs/deep.yaml"


def test_each_member_is_a_task_and_the_average_follows_the_last(cluster):
    assert submitted() == 0
    assert calls() == [AVERAGE, *MEMBERS]
    assert Path("calls").read_text().splitlines()[-1] == AVERAGE


def test_a_stopped_member_is_requeued_and_a_failure_blocks_the_average(cluster):
    Path("ends_2").write_text("143\n143\n")  # stopped twice, and then done
    assert submitted() == 0
    assert calls() == sorted([AVERAGE, *MEMBERS, MEMBERS[2], MEMBERS[2]])
    assert Path("requeues").read_text() == "requeue 5_2\nrequeue 5_2\n"
    Path("calls").unlink()
    Path("ends_4").write_text("2\n")
    assert submitted() == 1  # DependencyNeverSatisfied
    assert calls() == MEMBERS
