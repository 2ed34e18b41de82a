"""What a figure was measured with: versions and hardware."""

import platform
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("lit-mnist", "torch", "lightning", "torchvision", "torchmetrics", "numpy")


def versions() -> dict[str, str]:
    """Gives the versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def hardware(device: torch.device) -> str:
    """Names the device in words, such as `Intel Xeon, 2 threads` or `NVIDIA H200`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
