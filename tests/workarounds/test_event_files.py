"""The order of TensorBoard's files, by which a run that goes on hides what comes again."""

import time
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from tests.fitting import fitted
from tests.logs.test_kept_events import SAME, loggers, shown

now = time.time


def set_back(monkeypatch, hours):
    monkeypatch.setattr(time, "time", lambda: now() - 3600 * hours)


def test_upstream_still_names_files_by_the_clock_alone(here, monkeypatch):
    for hours in range(2):
        set_back(monkeypatch, hours)
        SummaryWriter("x").close()
    first, second = sorted(Path("x").iterdir(), key=lambda path: path.stat().st_ctime_ns)
    assert second < first


def test_points_are_there_once_after_the_clock_was_set_back(run_cli, monkeypatch):
    command = ("fit", *SAME, "--every_n_train_steps", "3")
    for way in (("--log_dir", "own"), (loggers("l"),)):
        for hours, moment in enumerate(("error at 14", "error at 3", "")):
            set_back(monkeypatch, hours)
            monkeypatch.setenv("STOP_AT", moment)
            if moment:
                with pytest.raises(RuntimeError):
                    run_cli(*command, *way)
            else:
                fitted(run_cli(*command, *way))
    for found in (shown("own/dense/seed_42"), shown("l/y/z")):
        assert [step for step, _ in found["step_loss"]] == [*range(18)]
        assert [step for step, _ in found["each"]] == [*range(1, 19)]
        assert [step for step, _ in found["val_loss"]] == [8, 17]
