"""A real process, stopped during training: its exit status, and the exact resume."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lit_mnist.main import main
from tests import holding, warm
from tests.conftest import CONFIGS, SMALL
from tests.warm import CLI, Program

EPOCHS = 3
STEPS = 25  # in an epoch: 500 images in batches of 20


def command(data_dir, name, ranks=1, *options):
    several = ("--trainer.devices", str(ranks), "--trainer.strategy", "ddp") if ranks > 1 else ()
    return [
        *(CLI, "fit", "--config", f"{CONFIGS}/simple_plateau.yaml"),
        *("--name", name, "--trainer.max_epochs", str(EPOCHS), "--trainer.accelerator", "cpu"),
        *("--data.dataset", SMALL, "--data.data_dir", str(data_dir), "--data.batch_size", "20"),
        *(*several, *options),
    ]


def here_too(arguments):
    """Runs a command in this process, as another takes seconds to start; returns its status."""
    return main(arguments[arguments.index("fit") :])


def folder(name):
    return Path("tb_logs", name, "seed_42")


def start(arguments):
    """Starts Python, for tests of startup itself."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def started(arguments):
    """Starts Python and waits for the first line, when SIGTERM has a handler."""
    process = start(arguments)
    if sys.platform != "linux":
        time.sleep(1)  # which only a busy machine makes too short
        return process
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None and not handles(status.read_text(), signal.SIGTERM):
        time.sleep(0.01)
    return process


def handles(status, number):
    """Whether a process has its own handler for a signal, by /proc."""
    caught = re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE).group(1)
    return int(caught, 16) >> (number - 1) & 1


def wait_for_epochs(process, name, count):
    """Waits until this number of epochs is written."""
    metrics = folder(name) / "metrics.csv"
    while process.poll() is None and (
        not metrics.exists() or len(metrics.read_text().splitlines()) < count + 1
    ):
        time.sleep(0.02)


def wait_for_step(process, name, epoch):
    """Waits until a checkpoint within this epoch, counted from 0, is written."""
    path = folder(name) / "checkpoints" / "last.ckpt"
    seen = None
    while process.poll() is None:
        time.sleep(0.01)
        if path.exists() and (written := path.stat().st_mtime_ns) != seen:
            seen = written
            steps = torch.load(path, weights_only=True)["global_step"]
            if steps > epoch * STEPS and steps % STEPS:
                return


def stop(process, number):
    """Sends the signal; returns status, stdout and stderr of the ended process."""
    process.send_signal(number)
    output, problems = process.communicate(timeout=300)
    return process.returncode, output, problems


def end_state(name):
    checkpoint = torch.load(folder(name) / "checkpoints" / "last.ckpt", weights_only=True)
    lines = (folder(name) / "metrics.csv").read_text().splitlines()
    optimiser = checkpoint["optimizer_states"][0]["state"]
    tensors = {f"{i}.{k}": v for i, state in optimiser.items() for k, v in state.items()}
    return (
        [line.rpartition(",")[0] for line in lines],  # without the seconds
        checkpoint["lr_schedulers"],
        checkpoint["state_dict"] | tensors,
    )


def assert_same_end(first, second):
    (rows, rates, tensors), (other_rows, other_rates, others) = map(end_state, (first, second))
    assert rows == other_rows
    assert len(rows) == EPOCHS + 1
    assert rates == other_rates
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensors[key], others[key]) for key in tensors)


def gone(group):
    """Whether all processes of the group end within a short time."""
    for _ in range(5000):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def whole(small_data, shared):
    """A folder of uninterrupted runs, by the number of ranks."""

    def train(folder):
        for ranks in (1, 2):
            run = command(small_data, f"whole_{ranks}", ranks, "--log_dir", str(folder))
            assert warm.run(run)[0] == 0

    return shared("whole", train)


@pytest.fixture
def beside(whole, here, no_pictures):
    """Copies the uninterrupted runs beside those of the test."""
    Path("tb_logs").mkdir()
    for path in whole.iterdir():
        Path("tb_logs", path.name).symlink_to(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_resumes_bit_identically(small_data, beside, number):
    run = command(small_data, "cut")
    process = Program(run, before=holding.after_two_epochs)
    wait_for_epochs(process, "cut", 2)
    process.send_signal(number)
    holding.GO_ON.touch()  # SIGTERM is handled after a step
    output, problems = process.communicate()
    status = process.returncode
    assert len((folder("cut") / "metrics.csv").read_text().splitlines()) == 1 + 2
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in problems
    if number != signal.SIGKILL:
        assert f"stopped by {number.name}; the same command resumes" in output
    assert here_too(run) == 0
    assert_same_end("cut", "whole_1")
    assert not list(Path("tb_logs").rglob("*.tmp"))


@pytest.mark.parametrize(
    ("ranks", "number"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGTERM)]
)
def test_a_run_resumes_within_an_epoch_bit_identically(small_data, beside, ranks, number):
    run = command(small_data, "cut", ranks, "--every_n_train_steps", "7")
    process = Program(run, before=holding.amid_the_second_epoch)
    wait_for_step(process, "cut", 1)
    process.send_signal(number)
    holding.GO_ON.touch()
    _, problems = process.communicate()
    status = process.returncode
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in problems or number == signal.SIGKILL  # of the remaining rank
    assert gone(process.pid)
    status, output, problems = warm.run(run)
    assert status == 0
    assert re.search(r"resuming after step \d+ of epoch \d+ from", output)
    assert "not resumable" not in problems
    assert_same_end("cut", f"whole_{ranks}")


def test_a_run_resumes_with_another_number_of_ranks(small_data, whole, here, capsys, no_pictures):
    shutil.copytree(whole / "whole_2", "tb_logs/whole_2")  # of two ranks
    more = ("--trainer.max_epochs", str(EPOCHS + 1))
    assert here_too(command(small_data, "whole_2", 1, *more)) == 0
    assert f"resuming after epoch {EPOCHS - 1}" in capsys.readouterr().out
    assert len((folder("whole_2") / "metrics.csv").read_text().splitlines()) == EPOCHS + 2


@pytest.mark.parametrize(
    ("begin", "seconds"),
    # while it imports, and from then on
    [(started, 0), (started, 1), (Program, 0.02), (Program, 0.2), (Program, 0.5), (Program, 1)],
)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_during_startup_is_reported(small_data, here, number, status, begin, seconds):
    process = begin(command(small_data, "early", 1, "--trainer.max_epochs", "10000"))
    time.sleep(seconds)
    process.send_signal(number)
    problems = process.communicate(timeout=300)[1]
    assert process.returncode == status
    assert "Traceback" not in problems


def test_a_second_ctrl_c_ends_the_process_at_once(small_data, here):
    # A callback that takes its time to shut down, as a slow disk would
    slow = ("--trainer.callbacks+=slow_end.SlowEnd",)
    paths = {"PYTHONPATH": str(Path(__file__).parent)}
    process = Program(command(small_data, "cut", 1, *slow), **paths)
    wait_for_epochs(process, "cut", 1)
    process.send_signal(signal.SIGINT)
    while not Path("ending").exists():
        time.sleep(0.01)
    assert stop(process, signal.SIGINT)[0] == 130
    assert not Path("ended").exists()


AMID = """
import sys, time
from lit_mnist.main import program

class Swallowing:  # as NumPy's and torch's imports are
    def find_spec(self, name, *_):
        if name == "lit_mnist.commands.run_cli":
            print("!", flush=True)
            try:
                time.sleep(60)
            except BaseException:
                raise ImportError("cannot load module more than once per process") from None

sys.meta_path.insert(0, Swallowing())
sys.argv = ["cli.py", "fit"]
sys.exit(program())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_imports_ends_the_process_at_once(number):
    process = start(["-c", AMID])
    process.stdout.readline()
    assert stop(process, number) == (128 + number, "", "")


LATE = """
import atexit, os, sys, time
from lit_mnist.main import program

def wait(write=os.write, read=os.read):
    write(1, b"!")
    read(0, 1)  # until the test has sent its signal

class Last:
    def __del__(self, wait=wait):
        wait()

sys.argv = ["cli.py", "--version"]
program()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("moment", "status"), [("atexit.register(wait)", None), ("a = Last()", 0)])
def test_a_signal_during_interpreter_shutdown_causes_no_error(number, moment, status):
    process = start(["-c", LATE + moment])
    while process.stdout.read(1) != "!":  # the version comes first
        pass
    process.send_signal(number)
    problems = process.communicate(timeout=300)[1]
    assert process.returncode == (128 + number if status is None else status)
    assert problems == ""


def test_a_second_start_of_a_locked_run_is_refused(small_data, here):
    run = command(small_data, "run", 1, "--trainer.max_epochs", "500")
    first = Program(run)
    wait_for_epochs(first, "run", 1)
    status, _, problems = warm.run(run)
    assert first.poll() is None
    stop(first, signal.SIGTERM)
    assert status == 2
    assert problems.startswith("error: tb_logs/run/seed_42: another process is training")
    assert problems.count("\n") == 1
    assert len(list(folder("run").glob("events.*"))) == 1
    assert not (folder("run") / ".lock").exists()
