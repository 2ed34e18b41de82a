"""A real process, stopped while it trains: its exit status, and that the run goes on exactly."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import CONFIGS, SMALL

CLI = str(Path(CONFIGS).parent / "cli.py")
EPOCHS = 12


def command(data_dir, name):
    return [
        *(sys.executable, CLI, "fit", "--config", f"{CONFIGS}/simple_plateau.yaml"),
        *("--name", name, "--trainer.max_epochs", str(EPOCHS), "--trainer.accelerator", "cpu"),
        *("--data.dataset", SMALL, "--data.data_dir", str(data_dir), "--data.batch_size", "10"),
    ]


def folder(name):
    return Path("tb_logs", name, "seed_42")


def stop(arguments, name, number):
    """Sends the signal once two epochs are written; gives the ended process."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = folder(name) / "metrics.csv"
    while process.poll() is None and (
        not metrics.exists() or len(metrics.read_text().splitlines()) < 3
    ):
        time.sleep(0.02)
    process.send_signal(number)
    output, problems = process.communicate(timeout=60)
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_to_the_same_bits(small_data, here, number):
    status, output, problems = stop(command(small_data, "cut"), "cut", number)
    done = len((folder("cut") / "metrics.csv").read_text().splitlines()) - 1
    assert 2 <= done < EPOCHS
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in problems
    if number != signal.SIGKILL:
        assert f"stopped by {number.name}; the same command goes on" in output
    for name in ("cut", "whole"):
        subprocess.run(command(small_data, name), check=True, capture_output=True)
    (rows, rates, tensors), (rows_whole, rates_whole, tensors_whole) = map(
        end_state, ("cut", "whole")
    )
    assert rows == rows_whole
    assert rates == rates_whole
    assert tensors.keys() == tensors_whole.keys()
    assert all(torch.equal(tensors[key], tensors_whole[key]) for key in tensors)
    assert not list(Path("tb_logs").rglob("*.tmp")) or number == signal.SIGKILL
