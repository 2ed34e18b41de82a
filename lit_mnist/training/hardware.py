"""The machine: its name and versions, and the precision and memory layout that suit it.

They are chosen by rule, so that the same machine always gets the same.

bfloat16 is chosen where the hardware multiplies it faster than float32 and nowhere else: on AMD's
AVX512-BF16 convolutions run at twice the rate (`benchmarks/convolutions.py`). Intel's AVX512-BF16
without AMX has the instructions, but at half the speed: a step of the deep net took 1.6 times as
long as in float32 when that was looked at with `benchmarks/steps.py`.
"""

import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

BFLOAT16, FLOAT32 = "bf16-mixed", "32-true"
PACKAGES = ("lit-mnist", "torch", "lightning", "torchvision", "torchmetrics", "numpy")


def device_type(accelerator: object) -> str:
    """Gives the PyTorch device that Lightning takes for `--trainer.accelerator`."""
    if accelerator in ("auto", "gpu"):
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if accelerator == "cuda" and not torch.cuda.is_available():
        return "cpu"  # for what little is asked of it before Lightning refuses it by name
    return str(accelerator)


def precision(device: str) -> str:
    """Gives the value of `--trainer.precision` that trains fastest: bf16-mixed or 32-true."""
    if device == "cuda":  # tensor cores have bfloat16 since Ampere; before, it is emulated
        return BFLOAT16 if torch.cuda.get_device_capability() >= (8, 0) else FLOAT32
    return BFLOAT16 if device == "cpu" and _fast_bfloat16() else FLOAT32


def channels_last(device: str) -> bool:
    """Tells whether convolutions are faster when the channels of a pixel lie side by side."""
    return device == "cuda" or (device == "cpu" and platform.machine() in ("x86_64", "AMD64"))


def versions() -> dict[str, str]:
    """Gives the versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def device_name(device: torch.device) -> str:
    """Names the device in words, such as `Intel Xeon, 2 threads` or `NVIDIA H200`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{processor().name}, {threads} thread{'s' if threads > 1 else ''}"


class Processor(NamedTuple):
    """What the system tells of the processor; empty where it does not tell."""

    name: str
    vendor: str
    flags: frozenset[str]  # features, such as avx512_bf16


def _fast_bfloat16() -> bool:
    """AMX has 8 times float32's rate, AMD's AVX512-BF16 twice, Intel's half of it (measured)."""
    _, vendor, flags = processor()
    return "amx_bf16" in flags or ("avx512_bf16" in flags and vendor == "AuthenticAMD")


@cache
def processor() -> Processor:
    """Reads what Linux says of the first processor; elsewhere there is a name alone."""
    info = Path("/proc/cpuinfo")
    facts = {}
    if info.exists():
        for line in info.read_text().split("\n\n")[0].splitlines():
            name, _, value = line.partition(":")
            facts[name.strip()] = value.strip()
    return Processor(
        name=facts.get("model name") or platform.processor() or platform.machine(),
        vendor=facts.get("vendor_id", ""),
        flags=frozenset(facts.get("flags", "").split()),
    )
