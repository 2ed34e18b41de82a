"""A signal that comes where Python drops exceptions, in a real process."""

import signal
import subprocess
import sys

import pytest

LOST = """
import signal, sys, time
from types import SimpleNamespace
from lit_mnist.main import program

class Interrupted:
    def __del__(self):
        signal.raise_signal(int(sys.argv[2]))

def run(options):
    Interrupted()  # and is deleted at once
    time.sleep(60)

sys.modules["lit_mnist.commands.run_cli"] = SimpleNamespace(run=run)
sys.exit(program())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_not_lost_in_a_del(number):
    command = [sys.executable, "-c", LOST, "fit", str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (128 + number, "")


OTHER = """
import sys
from lit_mnist.machine.lost_signals import sent_again

class Failing:
    def __del__(self):
        raise ValueError("of its own")

with sent_again():
    Failing()
assert sys.unraisablehook is sys.__unraisablehook__
"""


def test_other_errors_are_reported_as_ever():
    command = [sys.executable, "-c", OTHER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    assert "ValueError: of its own" in done.stderr
