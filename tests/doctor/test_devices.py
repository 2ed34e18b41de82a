"""Devices of simulated machines."""

import pytest
import torch

from lit_mnist.doctor import devices
from lit_mnist.machine import hardware
from lit_mnist.machine.hardware import Processor


@pytest.fixture
def no_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(devices, "DRIVERS", (str(tmp_path / "driver"),))
    flags = frozenset({"amx_bf16", "avx512_bf16"})
    monkeypatch.setattr(hardware, "processor", lambda: Processor("A chip", "GenuineIntel", flags))
    return tmp_path / "driver"


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))


def test_a_processor(no_gpu):
    found = devices.device()
    assert (found.verdict, found.text) == ("ok", "A chip, 1 thread (cpu)")
    assert devices.arithmetic().text == "by AMX and AVX512; fit takes bf16-mixed"


def test_a_processor_without_bfloat16(no_gpu, monkeypatch):
    monkeypatch.setattr(hardware, "processor", lambda: Processor("A chip", "", frozenset()))
    assert devices.arithmetic().text == "not in this processor; fit takes 32-true"


def test_gpus(two_gpus):
    assert devices.device().text == "2 x NVIDIA H100 (cuda)"
    assert devices.arithmetic().text == "fit takes bf16-mixed"
    assert devices.device("cpu").text.endswith("(cpu)")  # as requested


@pytest.mark.parametrize(("cuda", "why"), [(None, "without CUDA"), ("13.0", "use the driver")])
def test_a_gpu_that_pytorch_cannot_use_is_reported(no_gpu, monkeypatch, cuda, why):
    no_gpu.touch()
    monkeypatch.setattr(torch.version, "cuda", cuda)
    found = devices.device()
    assert found.verdict == "warning"
    assert why in found.text
    assert devices.device("cpu").verdict == "ok"


def test_a_requested_but_absent_gpu_is_an_error(no_gpu):
    found = devices.device("cuda")
    assert (found.verdict, found.remedy) == ("error", "leave --trainer.accelerator out")


def test_an_apple_gpu(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M4")
    assert devices.device().text == "Apple M4 (mps)"
    assert devices.arithmetic().text == "fit takes 32-true"


def test_gpus_that_the_driver_lists_and_cuda_cannot_use(two_gpus, monkeypatch):
    def too_old(*_):
        raise RuntimeError("The NVIDIA driver on your system is too old (found 11040). Please …")

    for name in ("get_device_name", "get_device_capability"):
        monkeypatch.setattr(torch.cuda, name, too_old)
    found = devices.device()
    assert found.verdict == "error"
    told = "cannot be used: The NVIDIA driver on your system is too old (found 11040)"
    assert found.text.endswith(told)
    assert found.remedy.endswith("or take --trainer.accelerator cpu")
    assert devices.arithmetic().text == "not known, as the device cannot be used"
