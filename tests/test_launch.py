"""Runs started by torchrun or SLURM: the same files and weights as other runs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch.distributed import run as torchrun

from lit_mnist.errors import UserError
from lit_mnist.machine.launcher import Launched, launched
from lit_mnist.main import main
from lit_mnist.workarounds import applied
from tests import holding, warm
from tests.conftest import CONFIGS, SMALL
from tests.warm import CLI

ROOT = Path(CONFIGS).parent.resolve()
HERE = Path(__file__).parent
TORCHRUN = (sys.executable, torchrun.__file__)
# The variables of a job with one task that starts torchrun
IN_A_JOB = {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}


@pytest.fixture
def options(small_data, here):
    """The options of a short run."""
    return (
        *("--config", f"{ROOT}/configs/simple_plateau.yaml", "--trainer.max_epochs", "3"),
        *("--trainer.accelerator", "cpu", "--data.batch_size", "50"),
        *("--data.dataset", SMALL, "--data.data_dir", str(small_data)),
    )


def start(*command, **environment):
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(HERE)} | environment,
    )


def finish(process):
    """Returns the exit status and the output."""
    try:
        output = process.communicate(timeout=600)[0]
    except subprocess.TimeoutExpired:
        process.terminate()  # which ends the processes that it has started, too
        raise
    return process.returncode, output


def folder(name):
    return Path("tb_logs", name, "seed_42")


def files(name):
    """The run's files; names of event files are cut before the time and the process."""
    found = (path.relative_to(folder(name)) for path in folder(name).rglob("*"))
    return sorted(str(path).partition(".tfevents")[0] for path in found)


def rows(name):
    """The lines of metrics.csv without the seconds."""
    lines = (folder(name) / "metrics.csv").read_text().splitlines()
    return [line.rpartition(",")[0] for line in lines]


def assert_same_bits(name, other):
    assert rows(name) == rows(other)
    first, second = (
        torch.load(folder(run) / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for run in (name, other)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def by_itself(options):
    """The command for two processes that Lightning starts."""
    ranks = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
    return (CLI, "fit", *options, "--name", "itself", *ranks)


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def wait_for(condition, seconds=300):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process can't ask for it")
def test_ranks_end_if_the_first_is_killed_before_connecting(options):
    ranks = ("--trainer.devices", "3", "--trainer.strategy", "ddp")
    process = warm.Program((CLI, "fit", *options, *ranks))
    wait_for(lambda: len(children(process.pid)) == 2)
    others = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others))


# ---------------------------------------------------------------- torchrun


def test_two_ranks_write_one_set_of_files_and_torchrun_the_same_run(options):
    status, output, problems = warm.run(by_itself(options))
    assert (status, problems) == (0, "")
    assert output.count("epoch   0") == 1
    assert len(list(folder("itself").glob("events.*"))) == 1
    assert json.loads((folder("itself") / "results.json").read_text())["ranks"] == 2
    launch = (torchrun.__file__, "--standalone", "--nproc-per-node", "2", CLI, "fit")
    status, output, problems = warm.run((*launch, *options, "--name", "torchrun"), **IN_A_JOB)
    assert status == 0, problems
    assert output.count("epoch   0") == 1
    assert files("torchrun") == files("itself")
    assert_same_bits("torchrun", "itself")


@pytest.mark.slow
def test_two_nodes_of_torchrun_write_one_set_of_files(options):
    status, output = finish(start(sys.executable, *by_itself(options)))
    assert status == 0, output
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = str(server.getsockname()[1])
    nodes = [
        start(
            *(*TORCHRUN, "--nnodes", "2", "--node-rank", rank, "--nproc-per-node", "1"),
            *("--master-addr", "127.0.0.1", "--master-port", port),
            *(CLI, "fit", *options, "--name", "nodes"),
        )
        for rank in "01"
    ]
    for status, output in map(finish, nodes):
        assert status == 0, output
    assert files("nodes") == files("itself")
    assert_same_bits("nodes", "itself")


@pytest.mark.slow
@pytest.mark.parametrize("rank", "01")
def test_a_failing_rank_ends_torchrun_with_its_cause_last(options, rank):
    launch = (*TORCHRUN, "--standalone", "--nproc-per-node", "2", CLI, "fit", *options)
    model = ("--model", "failing_rank.FailingModule", "--data.batch_size", "10")
    status, output = finish(start(*launch, *model, FAILING_RANK=rank))
    assert status == 1
    assert "  ZeroDivisionError: a fault of one rank" in output.splitlines()[-5:]


LAUNCHERS = {
    "torchrun": (*TORCHRUN, "--standalone", "--nproc-per-node", "2"),
    "srun": (sys.executable, f"{HERE}/stub_srun.py", "--kill-on-bad-exit=1", sys.executable),
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS.values(), ids=LAUNCHERS)
@pytest.mark.parametrize("option", ["--data.batch_size=61", "--trainer.precision=nonsense"])
def test_what_all_ranks_meet_is_told_once(options, launcher, option):
    job = {"TASKS": "2", "SLURM_JOB_ID": "7"}
    status, said = finish(start(*launcher, CLI, "fit", *options, option, **job))
    assert status
    assert len(re.findall("^error: ", said, re.MULTILINE)) == 1


# ---------------------------------------------------------------- SLURM


@pytest.fixture
def sbatch(here):
    """Runs a script of `scripts/` as SLURM would, with stubs of its programs; returns the status.

    Each requeue is a line of the file `requeues`.
    """
    programs = here / "bin"
    programs.mkdir()
    for name, content in {
        "python": f'exec {sys.executable} "$@"',
        "srun": f'exec {sys.executable} {HERE}/stub_srun.py "$@"',
        "scontrol": 'echo "$@" >> requeues',
    }.items():
        program(programs / name, content)
    (here / "cli.py").symlink_to(CLI)

    def call(script, *options, **environment):
        paths = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
        job = {"TASKS": "1"} | paths | environment
        return finish(start("bash", f"{ROOT}/scripts/{script}.sbatch", *options, **job))

    return call


@pytest.fixture
def forked(sbatch, here):
    """Runs the job's `python` as a fork that pauses after two epochs."""
    program(here / "bin" / "python", f'exec {sys.executable} -S {HERE}/stub_python.py "$@"')

    def start():
        with server.accept()[0] as job, job.makefile("rw") as stream:
            arguments, environment = json.loads(stream.readline())
            process = warm.Program(arguments, before=holding.after_two_epochs, **environment)
            print(process.pid, file=stream, flush=True)
            output = "".join(process.communicate())
            print(json.dumps([output, process.returncode]), file=stream, flush=True)

    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as thread:
        server.bind("asked")  # in the working folder, as the path of a socket must be short
        server.listen()
        server.settimeout(200)  # the whole run is trained meanwhile
        started = thread.submit(start)
        yield {"ASKED": "asked"}
        started.result()


def program(path, content):
    path.write_text(f"#!/bin/sh\n{content}\n")
    path.chmod(0o755)


def requeues():
    return Path("requeues").read_text().splitlines() if Path("requeues").exists() else []


def test_a_stopped_job_is_requeued_and_resumes_bit_identically(
    options, sbatch, forked, capsys, no_pictures
):
    assert main(["fit", *options, "--name", "whole"]) == 0
    cut = (*options, "--name", "cut")
    stop = {"STOP_AFTER": str(folder("cut") / "metrics.csv")}
    status, output = sbatch("fit", *cut, **stop, **forked)
    assert status == 143, output
    assert "stopped by SIGTERM" in output
    assert "Traceback" not in output
    assert requeues() == ["requeue 7"]
    assert len(rows("cut")) == 1 + 2
    capsys.readouterr()
    assert main(["fit", *cut]) == 0  # which the script would call again
    assert "resuming after epoch 1" in capsys.readouterr().out
    assert_same_bits("cut", "whole")


@pytest.mark.parametrize("ends", [0, 2])
def test_a_finished_job_keeps_its_status_and_is_not_requeued(sbatch, ends):
    program(Path("bin/python"), f'echo "$@"; exit {ends}')
    assert sbatch("fit", "--name", "two words") == (ends, "cli.py fit --name two words\n")
    assert requeues() == []


@pytest.mark.parametrize(("own", "given"), [(1, 1), (2, 2), (137, 255)])
def test_a_stop_caused_by_a_failed_task_is_not_requeued(sbatch, own, given):
    # Task 1 fails; srun stops task 0, which still waits for it, and gives the higher status
    program(Path("bin/python"), f"[ $SLURM_PROCID = 1 ] && exit {own}; sleep 60; touch waited")
    assert sbatch("fit", TASKS="2")[0] == given
    assert requeues() == []
    assert not Path("waited").exists()


def test_stopping_tasks_are_awaited_before_requeueing(sbatch):
    # Without output, as the test waits until every writer has closed it
    ends = "exec > /dev/null 2>&1; trap 'sleep 1; touch ended; exit 143' TERM"
    begins = "printf '1\\n2\\n3\\n' > ready; while true; do sleep 0.1; done"
    program(Path("bin/python"), f"{ends}; {begins}")
    assert sbatch("fit", TASKS="2", STOP_AFTER="ready")[0] == 143
    assert Path("ended").exists()
    assert requeues() == ["requeue 7"]


MEMBER = {"SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "3"}


@pytest.mark.parametrize(
    ("job", "extra", "requeued"), [(MEMBER, "--member 3 ", "requeue 5_3"), ({}, "", "requeue 7")]
)
def test_a_committee_is_one_job_per_member_and_one_for_the_average(sbatch, job, extra, requeued):
    program(Path("bin/python"), 'echo "$@"; exit 143')
    given = sbatch("committee", "--config", "two words.yaml", **job)
    assert given == (143, f"cli.py committee {extra}--config two words.yaml\n")
    assert requeues() == [requeued]


def test_a_member_that_fails_is_not_requeued(sbatch):
    program(Path("bin/python"), "exit 2")
    assert sbatch("committee", **MEMBER) == (2, "")
    assert requeues() == []


@pytest.fixture
def environment(monkeypatch):
    """Sets SLURM's variables of these names."""
    for name in [name for name in os.environ if name.startswith(("SLURM_", "TORCHELASTIC"))]:
        monkeypatch.delenv(name)

    def call(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"SLURM_{name}", value)

    return call


def test_tasks_on_nodes_become_devices(environment):
    assert launched() is None
    environment(NTASKS="1")  # the script of a job
    assert launched() == Launched(1, 1)
    environment(NTASKS="6", NNODES="2", NTASKS_PER_NODE="3", STEP_ID="0")
    assert launched() == Launched(3, 2)


@pytest.mark.parametrize(
    ("job", "remedy"),
    [
        ({"NTASKS": "2", "NTASKS_PER_NODE": "2"}, "srun"),  # else it would wait for the other
        ({"NTASKS": "2", "STEP_ID": "0"}, "--ntasks-per-node"),
        ({"NTASKS": "3", "NNODES": "2", "NTASKS_PER_NODE": "2", "STEP_ID": "0"}, "--nodes"),
    ],
)
def test_unusable_slurm_tasks_are_refused(environment, job, remedy):
    environment(**job)
    with pytest.raises(UserError, match=f"SLURM has .*{remedy}"):
        launched()


def test_the_hint_about_srun_is_hidden(here, monkeypatch, recwarn):
    program(here / "srun", "")
    monkeypatch.setenv("PATH", str(here))
    launched()
    assert "`srun` command is available" in str(recwarn.pop().message)  # upstream still does
    with applied.quiet():
        launched()
    assert not [warning for warning in recwarn if "srun" in str(warning.message)]
