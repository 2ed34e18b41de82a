"""The checks of reliability/, on a small set: they pass, and they detect errors."""

import importlib
import json
import signal
import sys
from pathlib import Path

import pytest
import torch

from tests import warm

FOLDER = Path(__file__).parent.parent / "reliability"


@pytest.fixture
def lives(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("lives")


@pytest.fixture
def run(lives, small_data, tmp_path, here, monkeypatch):
    """Runs a script on the small set; returns its exit status and JSON."""
    original = lives.command

    def command(name, log_dir, options, *more):
        return [*original(name, log_dir, options, *more), "--data.dataset", "KMNIST"]

    def call(script, *options, run=lives.run):
        monkeypatch.setattr(lives, "command", command)
        monkeypatch.setattr(lives, "run", run)
        place = ("--data-dir", str(small_data), "--output", str(tmp_path))
        monkeypatch.setattr(sys, "argv", [script, *options, *place])
        status = importlib.import_module(script).main()
        return status, json.loads((tmp_path / "reliability.json").read_text())

    return call


@pytest.mark.slow
def test_soak_counts_no_failure(run, tmp_path):
    status, known = run("soak", "--runs", "4", "--at-once", "1")
    assert status == 0
    figures = known["soak of 4 runs"]
    assert figures["counted"]["runs"] == 4
    assert figures["counted"]["processes"] == 8
    assert set(figures["bad"].values()) == {0}
    assert "| tracebacks (must be 0) | **0** |" in (tmp_path / "reliability.md").read_text()


@pytest.mark.slow
def test_killed_runs_end_bit_identically(run):
    status, known = run("kills", "--kills", "2")
    assert status == 0
    assert known["2 kills, ranks: 1"]["counted"]["kills"] == 2


@pytest.mark.slow
def test_killed_runs_with_accumulation_end_bit_identically(run):
    status, known = run("kills", "--kills", "2", "--accumulate")
    assert status == 0
    [figures] = known.values()
    assert figures["counted"]["kills"] == 2


def test_kills_detect_differing_weights(run, lives, monkeypatch):
    def in_a_fork(arguments, *_):
        status, output, problems = warm.run(arguments[1:])
        return lives.Ended(status, output + problems)

    monkeypatch.setattr(lives, "fingerprint", lambda folder: folder.parent.name)
    status, known = run("kills", "--kills", "0", run=in_a_fork)
    assert status == 1
    assert known["0 kills, ranks: 1"]["bad"]["runs that ended otherwise"] == 1


def test_figures_without_a_commit_stay_in_the_report(lives, tmp_path):
    options = lives.new_parser("").parse_args(["--output", str(tmp_path)])
    counted = {"what": "Runs.", "counted": {"runs": 1}, "bad": {"lost": 0}, "command": "python x"}
    lives.report(options, "new", counted)
    known = json.loads((tmp_path / "reliability.json").read_text())
    old = {key: value for key, value in known["new"].items() if key != "commit"}
    (tmp_path / "reliability.json").write_text(json.dumps({"old": old}))
    assert lives.report(options, "new", counted) == 0
    page = (tmp_path / "reliability.md").read_text()
    assert "commit not recorded" in page
    assert f"commit {lives.commit()}" in page


def test_a_process_ends_by_itself_or_by_the_signal(lives):
    forever = [sys.executable, "-c", "import time; time.sleep(600)"]
    assert lives.run(forever, 0.1) == (-signal.SIGKILL, "")
    assert lives.run(forever, 0.1, signal.SIGTERM) == (-signal.SIGTERM, "")
    code = "import sys; print('a', flush=True); sys.exit('b')"
    assert lives.run([sys.executable, "-c", code], 600) == (1, "a\nb\n")


def test_fingerprint_covers_weights_optimiser_and_rows_but_not_seconds(lives, tmp_path):
    def saved(weight=1.0, moment=1.0, rate=0.1, row="0,0.5,1.0"):
        (tmp_path / "checkpoints").mkdir(exist_ok=True)
        (tmp_path / "metrics.csv").write_text(f"epoch,acc,seconds\n{row}\n")
        content = {
            "state_dict": {"net.weight": torch.tensor(weight)},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.tensor(moment)}}}],
            "lr_schedulers": [{"_last_lr": [rate]}],
        }
        torch.save(content, tmp_path / "checkpoints" / "last.ckpt")
        return lives.fingerprint(tmp_path)

    first = saved()
    assert saved() == first
    assert saved(row="0,0.5,2.0") == first
    assert first not in {
        saved(weight=2.0),
        saved(moment=2.0),
        saved(rate=0.2),
        saved(row="0,0.6,1.0"),
    }
