"""How long threads wait for each other, as the machine's load tells."""

import os
import subprocess
import sys

import pytest

from lit_mnist.machine.spinning import VARIABLES, limit_spinning

SPINS, POLICY = VARIABLES


@pytest.fixture
def spins(monkeypatch, tmp_path):
    """Gives the limit on two cores, by how many threads run in all."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def limit(running=None):
        if running is not None:
            (tmp_path / "proc").mkdir()
            (tmp_path / "proc/loadavg").write_text(f"0.42 1.00 2.00 {running}/255 18709\n")
        limit_spinning(tmp_path)
        return os.environ.get(SPINS)

    return limit


@pytest.mark.parametrize(
    ("threads", "running", "expected"),
    [("2", 1, None), ("2", 2, "1000"), ("1", 2, None), ("1", 3, "1000"), ("2", None, None)],
)
def test_threads_spin_briefly_if_another_program_has_their_core(
    spins, monkeypatch, threads, running, expected
):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert spins(running) == expected


@pytest.mark.parametrize(("name", "value"), [(SPINS, "7"), (POLICY, "active")])
def test_what_the_user_has_set_stays(spins, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    spins(3)
    assert {one: os.environ[one] for one in VARIABLES if one in os.environ} == {name: value}


def test_the_program_sets_it_before_torch_is_imported():
    code = (
        "import os, sys; os.cpu_count = lambda: 1; from lit_mnist.main import program;"
        " sys.argv = ['lit-mnist', '--version']; program();"
        f" print(os.environ[{SPINS!r}], 'torch' in sys.modules)"
    )
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    clean["OMP_NUM_THREADS"] = "2"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == ["1000", "False"]
