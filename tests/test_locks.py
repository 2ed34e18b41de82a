"""Processes keep out of each other's way."""

import fcntl
import os
import time

import pytest

from lit_mnist.locks import alone_in


def test_a_lock_that_another_program_holds_is_waited_for_ten_seconds(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with alone_in(tmp_path):
        assert sum(waited) == pytest.approx(10)
    os.close(held)
    with alone_in(tmp_path):
        assert sum(waited) == pytest.approx(10)
