"""What a command leaves in the environment of a program that calls `main`."""

import contextlib
import os

import pytest

from lit_mnist.data import MNISTDataModule
from lit_mnist.machine import environment
from lit_mnist.main import main
from tests.conftest import SMALL


@pytest.mark.parametrize("before", [None, "5"])
def test_a_changed_and_a_new_variable_are_restored_also_after_an_error(monkeypatch, before):
    monkeypatch.setenv("PL_GLOBAL_SEED", before or "")  # so that it is put back afterwards
    if before is None:
        del os.environ["PL_GLOBAL_SEED"]
    with contextlib.suppress(ZeroDivisionError), environment.restored():
        os.environ["PL_GLOBAL_SEED"] = "9"
        os.environ["ANOTHER_OF_THE_CALLER"] = "1"
        _ = 1 / 0
    assert os.environ.get("PL_GLOBAL_SEED") == before
    assert os.environ.pop("ANOTHER_OF_THE_CALLER") == "1"


COMMANDS = {
    "doctor": ("doctor", "--config", "dense"),
    "refused": ("committee", "--config", "dense", "--trainer.fast_dev_run", "true"),
    "no model": ("committee", "--trainer.max_epochs", "1"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_leaves_the_seed_of_data_modules_alone(small_data, here, monkeypatch, command):
    monkeypatch.setenv("PL_GLOBAL_SEED", "")  # so that it is put back afterwards
    del os.environ["PL_GLOBAL_SEED"]
    data = ("--data.data_dir", str(small_data), "--data.dataset", SMALL)
    status = main([*command, *data, "--seed_everything", "9"])
    assert status == (0 if command[0] == "doctor" else 2)
    assert "PL_GLOBAL_SEED" not in os.environ
    assert MNISTDataModule(str(small_data), SMALL).seed == 42
