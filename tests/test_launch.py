"""Runs that torchrun or SLURM start: the same files and bits as runs that start themselves."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import CONFIGS, SMALL

ROOT = Path(CONFIGS).parent.resolve()
CLI = str(ROOT / "cli.py")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")


@pytest.fixture
def options(small_data, here):
    """The options of a short run; two ranks halve its batches."""
    return (
        *("--config", f"{CONFIGS}/simple_plateau.yaml", "--trainer.max_epochs", "2"),
        *("--trainer.accelerator", "cpu", "--data.batch_size", "50"),
        *("--data.dataset", SMALL, "--data.data_dir", str(small_data)),
    )


def start(*command, **environment):
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)} | environment,
    )


def finish(process, timeout=120):
    """Gives the exit status and what was said."""
    said = process.communicate(timeout=timeout)[0]
    return process.returncode, said


def folder(name):
    return Path("tb_logs", name, "seed_42")


def files(name):
    """The run's files; an event file's name tells the time and the process."""
    found = (path.relative_to(folder(name)) for path in folder(name).rglob("*"))
    return sorted(str(path).partition(".tfevents")[0] for path in found)


def rows(name):
    """The lines of metrics.csv without the seconds."""
    lines = (folder(name) / "metrics.csv").read_text().splitlines()
    return [line.rpartition(",")[0] for line in lines]


def assert_same_run(name, other):
    assert files(name) == files(other)
    assert rows(name) == rows(other)
    first, second = (
        torch.load(folder(run) / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for run in (name, other)
    )
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def started_by_itself(options, name="itself"):
    ranks = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
    status, said = finish(start(sys.executable, CLI, "fit", *options, "--name", name, *ranks))
    assert status == 0, said


def test_torchrun_starts_the_very_run_that_devices_2_starts(options):
    started_by_itself(options)
    launch = (*TORCHRUN, "--standalone", "--nproc-per-node", "2", CLI, "fit")
    status, said = finish(start(*launch, *options, "--name", "torchrun"))
    assert status == 0, said
    assert said.count("epoch   0") == 1
    assert_same_run("torchrun", "itself")


@pytest.mark.slow
def test_two_nodes_of_torchrun_write_one_set_of_files(options):
    started_by_itself(options)
    place = ("--master-addr", "127.0.0.1", "--master-port", str(free_port()))
    nodes = [
        start(*TORCHRUN, "--nnodes", "2", "--node-rank", rank, *place, "--nproc-per-node", "1", CLI)
        for rank in ()
    ]
    nodes = [
        start(
            *(*TORCHRUN, "--nnodes", "2", "--node-rank", str(rank), *place),
            *("--nproc-per-node", "1", CLI, "fit", *options, "--name", "nodes"),
        )
        for rank in (0, 1)
    ]
    for status, said in map(finish, nodes):
        assert status == 0, said
    assert_same_run("nodes", "itself")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_failing_rank_ends_torchrun_with_its_cause(options, rank):
    began = time.monotonic()
    launch = (*TORCHRUN, "--standalone", "--nproc-per-node", "2", CLI, "fit", *options)
    model = ("--name", "fails", "--model", "failing_rank.FailingModule", "--data.batch_size", "10")
    status, said = finish(start(*launch, *model, FAILING_RANK=str(rank)))
    assert status == 1
    assert time.monotonic() - began < 60
    assert "ZeroDivisionError: a fault of one rank" in "".join(said.splitlines(True)[-60:])
