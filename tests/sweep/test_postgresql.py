"""Sweeps that share a PostgreSQL server, as many machines would. Debian: apt install postgresql."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import optuna
import pytest

from tests import holding
from tests.conftest import CONFIGS, SMALL
from tests.warm import CLI, Program

pytestmark = pytest.mark.slow
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def control(folder, *arguments):
    """Runs one of the server's programs as Debian's user for it, as they refuse to run as root."""
    who = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    program, *rest = arguments
    command = [*who, str(BINARIES[-1] / program), "-D", str(folder), *rest]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture(scope="module")
def server():
    """The URL of a database in a new server on a free port; it ends with the module's tests."""
    pytest.importorskip("psycopg", reason="pip install 'psycopg[binary]'")
    if not BINARIES:
        pytest.skip("there is no PostgreSQL here: apt install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgresql_"))  # pytest's own are closed to other users
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    control(folder, "initdb", "-A", "trust", "-U", "digits", "-N")
    where = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control(folder, "pg_ctl", "-w", "-l", f"{folder}/log", "-o", where, "start")
    yield f"postgresql+psycopg://digits@127.0.0.1:{port}/postgres"
    control(folder, "pg_ctl", "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def options(hard_data, here, server):
    """The options of a sweep stored there."""
    Path("space.yaml").write_text("model.lr: {log: [1e-4, 0.01]}\n")
    return [
        *("sweep", "--config", f"{CONFIGS}/dense.yaml", "--space", "space.yaml"),
        *("--trainer.max_epochs", "3", "--trainer.accelerator", "cpu"),
        *("--data.dataset", SMALL, "--data.data_dir", str(hard_data), "--storage", server),
    ]


def states(server, name):
    return [one.state.name for one in optuna.load_study(study_name=name, storage=server).trials]


def test_two_processes_share_a_study_and_a_killed_trial_resumes(options, server):
    options += ["--name", "shared"]
    killed = Program([CLI, *options, "--trials", "1"], before=holding.after_two_epochs)
    trial = Path("tb_logs/shared/sweep/trial_000/seed_42")
    holding.wait_for_file(killed, trial / "checkpoints" / "last.ckpt")
    killed.send_signal(9)
    killed.communicate()
    assert states(server, "shared") == ["RUNNING"]
    both = [Program([CLI, *options, "--trials", "4"]) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert states(server, "shared").count("COMPLETE") == 4
    lines = [line for out, _ in outputs for line in out.splitlines() if " of 4: " in line]
    assert len(lines) == 4  # each was trained by one of them


def test_an_unreachable_server_is_reported_in_one_line(options):
    options[-1] = "postgresql+psycopg://digits:secret@127.0.0.1:1/none"
    process = Program([CLI, *options, "--trials", "1"])
    _, problems = process.communicate()
    assert process.returncode == 2
    assert problems.count("\n") == 1
    assert "postgresql+psycopg://digits:***@127.0.0.1:1/none" in problems
