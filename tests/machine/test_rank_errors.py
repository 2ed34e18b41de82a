"""Which ranks print an error; on real processes, see `tests/test_ddp.py` and `test_launch.py`."""

from types import SimpleNamespace

import pytest
from torch import distributed

from lit_mnist.machine import rank_errors

PEER = "another process of this run has failed"
STEP = {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"}


class Gone:
    """The store of a rank zero that has ended."""

    def check(self, _):
        raise distributed.DistNetworkError("connection reset by peer")


@pytest.fixture
def report(monkeypatch, capsys):
    """Reports an error on one of the ranks that have met; gives what that rank prints."""
    met_by = {"store": distributed.HashStore()}
    monkeypatch.setattr(rank_errors, "GRACE_S", 0.05)
    monkeypatch.setattr(rank_errors, "HEARING_S", 0.05)
    monkeypatch.setattr(rank_errors, "_store", lambda _: met_by["store"])

    def call(rank, text, store=None, **follows):
        met_by["store"] = store or met_by["store"]
        group = SimpleNamespace(
            get_rank=lambda: rank,
            get_world_size=lambda: 3,
            DistNetworkError=distributed.DistNetworkError,
        )
        monkeypatch.setattr(rank_errors, "_group", lambda: group)
        rank_errors.report(text, **follows)
        return capsys.readouterr().err

    return call


def test_what_rank_zero_prints_no_other_rank_does(report):
    assert report(0, "--data.batch_size 61: is odd") == "error: --data.batch_size 61: is odd\n"
    assert report(1, "--data.batch_size 61: is odd") == ""
    assert report(2, PEER, follows=True) == ""


def test_what_another_rank_alone_meets_is_seen(report):
    own = "error: rank 1: data is missing\n"
    assert report(1, "data is missing") == own  # rank zero waits for this rank
    report(0, PEER, follows=True)
    assert report(1, "data is missing") == own


def test_rank_zero_stays_until_all_others_have_heard_it(report, monkeypatch):
    store, heard = distributed.HashStore(), []
    monkeypatch.setattr(rank_errors, "HEARING_S", 30.0)
    group = SimpleNamespace(DistNetworkError=distributed.DistNetworkError)
    monkeypatch.setattr(rank_errors.time, "sleep", lambda _: heard.append(rank_errors._read(group)))
    assert report(0, "is odd", store) == "error: is odd\n"
    assert heard == ["is odd", "is odd"]  # of three ranks


def test_once_rank_zero_has_ended_only_its_end_is_told(report):
    assert report(1, "--data.batch_size 61: is odd", Gone()) == ""
    assert [report(rank, PEER, Gone(), follows=True) for rank in (1, 2)] == [
        f"error: rank 1: {PEER}\n",
        "",
    ]


@pytest.mark.parametrize(
    ("variables", "rank", "by_srun"),
    [
        ({}, 0, False),
        ({"LOCAL_RANK": "1", "WORLD_SIZE": "2"}, 1, False),  # Lightning's launcher
        ({"RANK": "1", "LOCAL_RANK": "1"}, 0, False),  # of some other program
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"} | STEP, 3, False),  # torchrun in it
        ({**STEP, "SLURM_PROCID": "2"}, 2, True),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, 0, False),  # a job's script
        ({**STEP, "SLURM_JOB_NAME": "bash"}, 0, False),
    ],
)
def test_a_rank_is_known_before_the_ranks_meet(monkeypatch, variables, rank, by_srun):
    monkeypatch.setattr(rank_errors, "_group", lambda: None)
    monkeypatch.setattr(rank_errors.os, "environ", variables)
    assert rank_errors._rank() == rank
    assert rank_errors._by_srun() is by_srun
