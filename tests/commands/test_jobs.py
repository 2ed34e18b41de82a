"""Jobs: how many run at once, with which share of the machine, and how they end."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lit_mnist.command_line.run_spec import RunSpec
from lit_mnist.commands.jobs import Job, Jobs

REAL = sys.executable  # Python, for which a script stands in these tests
ROOT = Path(__file__).parents[2]

# Writes that it runs and which signal it gets; ends after a while, so that a failure does not hang
WAITS = 'trap "touch $0.TERM; exit 1" TERM; trap "touch $0.INT; exit 1" INT; touch $0; '
WAITS += "n=0; while [ $n -lt 6000 ]; do sleep 0.02; n=$((n+1)); done"


@pytest.fixture(autouse=True)
def shell(here, monkeypatch):
    """Runs a job's arguments as a system command, as Python takes long to start."""
    script = here / "python"
    script.write_text('#!/bin/sh\nshift 3\nexec "$@"\n')  # without -m lit_mnist.main fit
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def job(name, command):
    return Job(name, RunSpec(typed=("sh", "-c", command, name)))


def soon(happened):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_failed_job_is_returned_and_stops_no_other(at_once):
    jobs = [job("a", "exit 3"), job("b", "touch b"), job("c", "kill -9 $$"), job("d", "touch d")]
    assert [each.name for each in Jobs(at_once).run(jobs)] == ["a", "c"]
    assert Path("b").exists()
    assert Path("d").exists()


def test_a_job_runs_the_program_as_a_module(here):
    (here / "python").write_text('#!/bin/sh\necho "$@" > given\n')
    assert not Jobs(1).run([Job("a", RunSpec(typed=("--name", "a")))])
    *module, command, option, name = Path("given").read_text().split()
    assert (command, option, name) == ("fit", "--name", "a")
    done = subprocess.run(
        [REAL, *module, "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("lit-mnist ")


def test_an_empty_list_of_jobs_succeeds():
    assert Jobs(1).run([]) == []


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_at_most_the_given_number_of_jobs_run_at_once(at_once):
    together = f"while [ $(grep -c + log) -lt {at_once} ]; do sleep 0.02; done"
    command = f"echo + >> log; {together}; sleep 0.2; echo - >> log"
    assert not Jobs(at_once).run([job(str(place), command) for place in range(4)])
    running, most = 0, 0
    for line in Path("log").read_text().split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most == at_once


def test_lines_are_prefixed_if_several_jobs_run_at_once(capfd):
    Jobs(2).run([job("a/seed_1", "echo one; echo two"), job("a/seed_2", "echo three")])
    lines = capfd.readouterr().out.splitlines()
    assert sorted(lines) == ["[a/seed_1] one", "[a/seed_1] two", "[a/seed_2] three"]
    Jobs(1).run([job("a/seed_1", "echo one")])
    assert capfd.readouterr().out == "one\n"


def environments(at_once, *names):
    """The environment variables of jobs that run at once; each waits for the others."""
    values = " ".join(f"${{{name}-unset}}" for name in names)
    command = f"touch $0.on; while [ $(ls *.on | wc -l) -lt {at_once} ]; do sleep 0.02; done; "
    Jobs(at_once).run([job(str(n), f"{command} echo {values} > $0.env") for n in range(at_once)])
    return sorted(tuple(path.read_text().split()) for path in Path().glob("*.env"))


def test_cores_are_divided_among_jobs(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert environments(1, "OMP_NUM_THREADS") == [("7",)]
    assert environments(2, "OMP_NUM_THREADS") == [("3",), ("3",)]


def test_each_job_has_at_least_one_thread(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert environments(3, "OMP_NUM_THREADS") == [("1",)] * 3


@pytest.mark.parametrize(
    ("visible", "at_once", "expected"),
    [
        (None, 2, ["0", "1"]),
        ("2,3", 2, ["2", "3"]),
        ("GPU-a,GPU-b", 2, ["GPU-a", "GPU-b"]),
        ("5", 2, ["5", "5"]),
        ("2,3", 1, ["2"]),
    ],
)
def test_gpus_are_divided_among_jobs(monkeypatch, visible, at_once, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = environments(at_once, "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    assert found == [(gpu, "3" if at_once == 2 else "7") for gpu in expected]


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_run_that_names_its_devices_sees_all_gpus(monkeypatch, at_once):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    command = ("sh", "-c", "echo $CUDA_VISIBLE_DEVICES > seen", "a", "--trainer.devices=2")
    assert not Jobs(at_once).run([Job("a", RunSpec(typed=command))])
    assert Path("seen").read_text() == "2,3\n"


def test_jobs_start_without_preexec_fn_on_windows(monkeypatch):
    """Python refuses `preexec_fn` on Windows."""
    given = []
    start = subprocess.Popen

    def popen(*args, preexec_fn, **options):
        given.append(preexec_fn)
        return start(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr("lit_mnist.commands.jobs.os", SimpleNamespace(**vars(os) | {"name": "nt"}))
    assert not Jobs(1).run([job("a", "touch a")])
    assert Path("a").exists()
    assert given == [None]


def test_a_job_gets_its_parent_s_program_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/lit-mnist"])
    assert environments(1, "LIT_MNIST_CALLED") == [("lit-mnist",)]


def test_a_job_is_marked_and_finds_the_package(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    package = str(Path(__file__).parents[2])
    found = environments(1, "LIT_MNIST_JOB", "PYTHONPATH")
    assert found == [("1", f"{package}:/elsewhere")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_running_jobs_and_starts_no_more(number):
    before = signal.getsignal(number)

    def interrupt():
        soon(lambda: Path("a").exists() and Path("b").exists())
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with pytest.raises(SystemExit) as ended:
        Jobs(2).run([job(name, WAITS) for name in "abc"])
    assert ended.value.code == 128 + number
    received = signal.Signals(number).name.removeprefix("SIG")
    assert {path.name for path in Path().glob("?*.*")} == {f"a.{received}", f"b.{received}"}
    assert not Path("c").exists()
    assert signal.getsignal(number) is before


def test_jobs_run_in_a_thread_that_gets_no_signals():
    handlers, failed = [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))], []
    jobs = [job("a", "touch a"), job("b", "exit 3")]
    thread = threading.Thread(target=lambda: failed.extend(Jobs(2).run(jobs)))
    thread.start()
    thread.join()
    assert [each.name for each in failed] == ["b"]
    assert Path("a").exists()
    assert [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM))] == handlers


def test_a_signal_during_a_job_s_start_reaches_it(monkeypatch):
    start, jobs = subprocess.Popen, Jobs(2)

    def interrupted(*args, **options):
        process = start(*args, **options)
        assert soon(lambda: Path("a").exists())
        if not jobs.stopped:
            os.kill(os.getpid(), signal.SIGTERM)
            assert soon(lambda: jobs.stopped)
        return process

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(SystemExit):
        jobs.run([job("a", WAITS)])
    assert Path("a.TERM").exists()
