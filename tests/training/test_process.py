"""The process's settings, each seen at work in a process of its own."""

import platform
import subprocess
import sys

import pytest

TUNE = "from lit_mnist.training import process; process.configure_process(); "


def told(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("before", "value"), [("", "1e-40"), (TUNE, "0e+00")])
def test_subnormal_numbers_count_as_zero_in_every_thread(before, value):
    code = (
        "import torch; torch.set_num_threads(2)\n"
        "print({f'{v:.0e}' for v in (torch.full((1_000_000,), 1e-38) * 1e-2).tolist()})"
    )
    assert told(before + code) == str({value})


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize(("before", "least", "most"), [("", 5_000, 10**9), (TUNE, 0, 500)])
def test_large_buffers_are_reused(before, least, most):
    code = (
        "import resource, torch\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(30): torch.ones(10_000_000)\n"  # until the heap has found its size
        "start = faults()\n"
        "for _ in range(5): torch.ones(10_000_000)\n"
        "print(faults() - start)"
    )
    assert least <= int(told(before + code)) <= most


def test_the_optimiser_does_not_look_for_a_gpu_where_there_is_none():
    code = (
        "import os, torch; torch.cuda.is_available = lambda: AVAILABLE\n"
        f"{TUNE} print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
    )
    assert told(code.replace("AVAILABLE", "False")) == ""
    assert told(code.replace("AVAILABLE", "True")) == "None"
    assert told(code.replace("AVAILABLE", "False"), CUDA_VISIBLE_DEVICES="1") == "1"
