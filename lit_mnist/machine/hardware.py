"""The machine: what decides bf16 and the memory format, its name, and versions of packages.

The choice follows fixed rules, so that the same machine always gets the same.

bfloat16 is chosen only where the hardware multiplies it faster than float32. With AVX512-BF16 on
AMD, convolutions are twice as fast (`benchmarks/convolutions.py`). On Intel without AMX the same
instructions run at half the speed: a step of the deep net took 1.6 times as long as in float32
(`benchmarks/steps.py`).
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
    """Returns the type of PyTorch device that Lightning uses for `--trainer.accelerator`."""
    if accelerator in ("auto", "gpu"):
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if accelerator == "cuda" and not torch.cuda.is_available():
        return "cpu"  # good enough until Lightning refuses the name
    return str(accelerator)


def precision(device: str) -> str:
    """Returns the fastest value of `--trainer.precision`: bf16-mixed or 32-true."""
    if device == "cuda":  # tensor cores support bfloat16 since Ampere; before, it is emulated
        return BFLOAT16 if torch.cuda.get_device_capability() >= (8, 0) else FLOAT32
    return BFLOAT16 if device == "cpu" and _fast_bfloat16() else FLOAT32


def channels_last(device: str) -> bool:
    """Returns whether convolutions are faster in the channels-last memory format."""
    return device == "cuda" or (device == "cpu" and platform.machine() in ("x86_64", "AMD64"))


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def device_name(device: torch.device) -> str:
    """Describes the device, such as `Intel Xeon, 2 threads`, `NVIDIA H200` or `Apple M4 (mps)`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"{torch.backends.mps.get_name()} (mps)"
    threads = torch.get_num_threads()
    return f"{processor().name}, {threads} thread{'s' if threads > 1 else ''}"


class Processor(NamedTuple):
    """What the system reports about the processor; fields that are unknown are empty."""

    name: str
    vendor: str
    flags: frozenset[str]  # features, such as avx512_bf16


def _fast_bfloat16() -> bool:
    """True with AMX (8 times float32's rate) or AMD's AVX512-BF16 (twice); Intel's has half."""
    _, vendor, flags = processor()
    return "amx_bf16" in flags or ("avx512_bf16" in flags and vendor == "AuthenticAMD")


@cache
def processor() -> Processor:
    """Reads what Linux reports about the first processor; other systems give only a name."""
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
