"""How long threads wait for each other, as the machine's load tells."""

import importlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lit_mnist import main as program
from lit_mnist.machine import spinning
from lit_mnist.machine.spinning import VARIABLES, limited

SPINS, POLICY = VARIABLES


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Sets up a machine of four cores, two physical; gives the limit there."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    for name in (*VARIABLES, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for core in range(4):
        place = tmp_path / f"sys/devices/system/cpu/cpu{core}/topology"
        place.mkdir(parents=True)
        (place / "thread_siblings_list").write_text(f"{core % 2},{core % 2 + 2}\n")

    def limit(*running):
        looks = iter([*running, *running[-1:] * 5])

        def sleep(_):
            (tmp_path / "proc").mkdir(exist_ok=True)
            now = next(looks, None)
            if now is not None:
                (tmp_path / "proc/loadavg").write_text(f"0.42 1.00 2.00 {now}/255 18709\n")

        monkeypatch.setattr(spinning.time, "sleep", sleep)
        before = dict(os.environ)
        with limited(tmp_path):
            found = os.environ.get(SPINS)
        assert os.environ == before  # processes that are started later decide by themselves
        return found

    return limit


def test_threads_spin_briefly_if_other_programs_leave_too_few_cores(machine):
    assert machine(3) is None  # two others, and two threads of ours
    assert machine(4) == "1000"


def test_other_programs_are_not_known_on_other_systems_than_linux(machine):
    assert machine() is None


def test_what_runs_only_for_a_moment_does_not_count(machine):
    assert machine(9, 1, 9) is None


@pytest.mark.parametrize(("threads", "expected"), [("1", None), ("3", "1000"), ("64", "1000")])
def test_the_user_s_number_of_threads_counts(machine, monkeypatch, threads, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert machine(3) == expected


def test_where_others_run_is_not_known_within_some_cores_of_a_machine(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2), raising=False)
    assert machine(9) is None


@pytest.mark.parametrize(("name", "value"), [(SPINS, "7"), (POLICY, "active")])
def test_what_the_user_has_set_stays(machine, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert machine(9) == (value if name == SPINS else None)


def test_a_command_is_imported_within_the_limit(machine, monkeypatch):
    seen = []

    def import_module(_):
        seen.append(os.environ.get(SPINS))
        return SimpleNamespace(run=lambda _: seen.append(os.environ.get(SPINS)))

    monkeypatch.setattr(spinning, "_crowded", lambda root: root == Path("/"))
    monkeypatch.setattr(importlib, "import_module", import_module)
    assert program.main(["fit"]) == 0
    assert seen == ["1000", None]
