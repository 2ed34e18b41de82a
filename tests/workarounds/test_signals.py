"""Signals: each test fails once upstream is fixed and the work-around can be removed."""

import inspect
import subprocess

from lightning.pytorch.loops import training_epoch_loop
from lightning.pytorch.strategies.launchers import subprocess_script
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors import (
    signal_connector,
)

from lit_mnist.workarounds import applied


def test_preexec_fn_is_used_on_posix_only(monkeypatch):
    monkeypatch.setattr(applied.os, "name", "nt")
    with applied.ranks_end_with_the_first():
        assert subprocess_script.subprocess is subprocess


def test_upstream_still_broadcasts_from_within_the_signal_handler():
    source = inspect.getsource(signal_connector._SignalConnector)
    assert "dist.broadcast" in source
    assert "_broadcast_sigterm_tensor" in inspect.getsource(
        training_epoch_loop._TrainingEpochLoop.advance
    )


def test_upstream_still_ignores_a_second_interrupt():
    assert "SIG_IGN" in inspect.getsource(call._call_and_handle_interrupt)


def test_upstream_still_lets_ranks_outlive_the_first():
    source = inspect.getsource(subprocess_script._SubprocessScriptLauncher._call_children_scripts)
    assert "subprocess.Popen(command, env=env_copy, cwd=cwd)" in source
