"""Ranks that cannot work together are refused before they are started."""

from contextlib import nullcontext

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

from lit_mnist.command_line.rank_checks import check_backend, check_launcher
from lit_mnist.errors import UserError


@pytest.mark.parametrize(
    ("strategy", "taken"), [("ddp", True), ("ddp_fork", False), ("ddp_spawn", False)]
)
def test_ranks_are_programs_of_their_own(strategy, taken):
    made = Trainer(accelerator="cpu", devices=2, strategy=strategy, logger=False)
    with nullcontext() if taken else pytest.raises(UserError, match="take ddp"):
        check_launcher(made.strategy.launcher)


def ranks(backend, device="cpu"):
    strategy = DDPStrategy(process_group_backend=backend)
    strategy.parallel_devices = [torch.device(device)]
    return strategy


@pytest.mark.parametrize("name", ["nccl", "NCCL", "mpi", "nonsense", "cpu:nccl", "cuda:nccl"])
def test_a_backend_that_a_cpu_has_not_is_refused(name):
    with pytest.raises(
        UserError, match=rf"{name}: .* this device \(cpu\); take gloo, or leave it out"
    ):
        check_backend(ranks(name))


def test_a_backend_is_refused_before_ranks_start(run_cli):
    options = ("--trainer.strategy", "lightning.pytorch.strategies.DDPStrategy")
    backend = ("--trainer.strategy.process_group_backend", "nonsense")
    status, _, problems = run_cli("fit", "--trainer.devices", "2", *options, *backend)
    assert status == 2
    assert problems.count("\n") == 1
    assert f"{' '.join(backend)}: ranks cannot use it" in problems


@pytest.mark.parametrize("name", [None, "gloo", "GLOO", "cpu:gloo,cuda:nccl"])
def test_other_backends_pass(name):
    check_backend(ranks(name))


def test_one_device_has_no_backend():
    check_backend(SingleDeviceStrategy())


def test_devices_that_would_stay_idle_are_refused(run_cli):
    one = ("fit", "--trainer.strategy", "single_device", "--trainer.devices")
    status, _, problems = run_cli(*one, "2")
    assert status == 2
    assert problems == (
        "error: --trainer.devices 2: has no effect, as --trainer.strategy names one of a single"
        " device; leave one of them out\n"
    )
    assert run_cli(*one, "1")[0] == run_cli(*one, "auto", "--name", "other")[0] == 0


@pytest.mark.skipif(not torch.distributed.is_nccl_available(), reason="needs PyTorch for CUDA")
def test_nccl_passes_on_a_gpu():
    check_backend(ranks("nccl", "cuda:0"))
