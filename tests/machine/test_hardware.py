"""The choice of precision and layout, for simulated machines."""

import pytest
import torch

from lit_mnist.machine import hardware

INTEL, AMD = "GenuineIntel", "AuthenticAMD"


@pytest.mark.parametrize(
    ("vendor", "flags", "chosen"),
    [
        (INTEL, {"avx512f"}, "32-true"),
        (INTEL, {"avx512f", "avx512_bf16"}, "32-true"),  # has it, at half the rate
        (INTEL, {"avx512f", "avx512_bf16", "amx_bf16", "amx_tile"}, "bf16-mixed"),
        (AMD, {"avx2"}, "32-true"),
        (AMD, {"avx512f", "avx512_bf16"}, "bf16-mixed"),
        ("", set(), "32-true"),
    ],
)
def test_bfloat16_is_chosen_on_processors_with_fast_support(monkeypatch, vendor, flags, chosen):
    monkeypatch.setattr(hardware, "processor", lambda: ("", vendor, frozenset(flags)))
    assert hardware.precision("cpu") == chosen
    assert hardware.precision("cpu") == chosen


@pytest.mark.parametrize(
    ("capability", "chosen"), [((7, 5), "32-true"), ((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed")]
)
def test_bfloat16_is_chosen_on_gpus_that_support_it(monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert hardware.precision("cuda") == chosen


@pytest.mark.parametrize(
    ("device", "processor", "chosen"),
    [
        ("cuda", "aarch64", True),
        ("cpu", "x86_64", True),
        ("cpu", "arm64", False),
        ("mps", "arm64", False),
    ],
)
def test_layout(monkeypatch, device, processor, chosen):
    monkeypatch.setattr("platform.machine", lambda: processor)
    assert hardware.channels_last(device) is chosen


@pytest.mark.parametrize(
    ("accelerator", "cuda", "mps", "device"),
    [
        ("auto", True, False, "cuda"),
        ("auto", False, True, "mps"),
        ("auto", False, False, "cpu"),
        ("gpu", True, False, "cuda"),
        ("cpu", True, True, "cpu"),
        ("cuda", True, False, "cuda"),
    ],
)
def test_device_of_an_accelerator(monkeypatch, accelerator, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert hardware.device_type(accelerator) == device


def test_reads_the_processor_from_proc_cpuinfo(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n"
        "flags\t\t: fpu avx512_bf16\n\n"
        "processor\t: 1\nvendor_id\t: Other\nflags\t\t: none\n"
    )
    monkeypatch.setattr(hardware, "Path", lambda _: info)
    hardware.processor.cache_clear()
    assert hardware.processor() == ("AMD EPYC", AMD, {"fpu", "avx512_bf16"})
    hardware.processor.cache_clear()


def test_an_absent_gpu_is_not_queried(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert hardware.device_type("cuda") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert hardware.device_type("cuda") == "cuda"


def test_an_apple_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M4")
    assert hardware.device_name(torch.device("mps:0")) == "Apple M4 (mps)"
