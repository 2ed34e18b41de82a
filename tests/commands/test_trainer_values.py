"""Values that Lightning takes without a word."""

import os

import pytest

from lit_mnist.commands.trainer_values import check
from lit_mnist.errors import UserError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accumulate_grad_batches", 0),
        ("check_val_every_n_epoch", 0),
        ("fast_dev_run", -1),
        ("gradient_clip_val", -0.1),
        ("gradient_clip_val", float("nan")),
        ("limit_train_batches", -1),
        ("log_every_n_steps", -1),
        ("max_epochs", -5),
        ("num_nodes", 0),
    ],
)
def test_too_little_is_named(name, value):
    with pytest.raises(UserError, match=f"--trainer.{name} {value}: take"):
        check({name: value})


def test_more_processes_than_a_cpu_bears_are_not_started(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    for devices in (17, "17", 10**30):
        with pytest.raises(UserError, match=f"--trainer.devices {devices}: .* 16 or fewer"):
            check({"devices": devices, "accelerator": "cpu"})
    check({"devices": "16", "accelerator": "auto"})
    check({"devices": 17, "accelerator": "cuda"})  # Lightning counts these itself


def test_what_makes_sense_passes():
    check({"max_epochs": -1, "gradient_clip_val": None, "fast_dev_run": True, "devices": "auto"})
    check({"limit_train_batches": 0, "num_sanity_val_steps": -1, "devices": [0, 1]})
