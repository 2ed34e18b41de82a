"""The effects of the process settings."""

import os
import platform
from pathlib import Path

import pytest
import torch

from lit_mnist.machine import process
from tests import warm

CONFIGURED = "from lit_mnist.machine import process; process.configure_process()\n"
MEASURED = """
import resource, torch
torch.set_num_threads(2)
print({f"{v:.0e}" for v in {*(torch.full((1_000_000,), 1e-38) * 1e-2).tolist()}})
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10): torch.ones(10_000_000)  # until the heap has found its size
start = faults()
for _ in range(5): torch.ones(10_000_000)
print(faults() - start)
"""


# A process of its own, as what is set stays set; its threads start in it
@pytest.mark.parametrize(
    ("before", "value", "least", "most"),
    [("", "1e-40", 5_000, 10**9), (CONFIGURED, "0e+00", 0, 500)],
)
def test_subnormals_are_flushed_in_all_threads_and_buffers_reused(here, before, value, least, most):
    Path("measured.py").write_text(before + MEASURED)
    status, output, problems = warm.run(["measured.py"])
    assert status == 0, problems
    values, faults = output.splitlines()
    assert values == str({value})
    if platform.libc_ver()[0] == "glibc":
        assert least <= int(faults) <= most


@pytest.mark.parametrize(
    ("available", "before", "after"), [(False, None, ""), (True, None, None), (False, "1", "1")]
)
def test_the_optimiser_skips_the_gpu_check_without_a_gpu(monkeypatch, available, before, after):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before or "")  # so that it is put back afterwards
    if before is None:
        del os.environ["CUDA_VISIBLE_DEVICES"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    process.configure_process()
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == after


@pytest.mark.parametrize("before", [None, "1"])
def test_process_settings_are_restored_after_a_command(monkeypatch, before):
    names = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PL_GLOBAL_SEED")
    for name in names:
        monkeypatch.setenv(name, before or "")  # so that it is put back afterwards
        if before is None:
            del os.environ[name]
    torch.set_flush_denormal(False)
    with process.configured():
        os.environ["PL_GLOBAL_SEED"] = "42"  # as Lightning does
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # likewise
        assert process.flushes_denormals()
    assert not process.flushes_denormals()
    assert [os.environ.get(name) for name in names] == [before] * 3


@pytest.mark.parametrize("mode", ["default", "warn", "error"])
def test_a_command_leaves_pytorch_s_determinism_as_it_was(monkeypatch, mode):
    def chosen():
        cudnn = torch.backends.cudnn
        return torch.get_deterministic_debug_mode(), cudnn.benchmark, cudnn.deterministic

    monkeypatch.setattr(torch.backends.cudnn, "benchmark", mode == "warn")
    torch.set_deterministic_debug_mode(mode)
    try:
        before = chosen()
        with process.configured():
            torch.use_deterministic_algorithms(mode == "default", warn_only=mode == "error")
            torch.backends.cudnn.benchmark = mode != "warn"
            assert chosen() != before
        assert chosen() == before
    finally:
        torch.set_deterministic_debug_mode("default")
