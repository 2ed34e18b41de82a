"""The device of a run and its precision."""

from pathlib import Path

import torch

from lit_mnist.doctor.finding import Finding
from lit_mnist.machine import hardware

INSTALL = "install a PyTorch for your driver: https://pytorch.org/get-started"
DRIVERS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")  # the last: in WSL


def device(accelerator: object = "auto") -> Finding:
    """Names the device of a run with this `--trainer.accelerator`."""
    kind = hardware.device_type(accelerator)
    if kind == "cuda":
        return _gpus()
    if kind == "mps":
        return Finding("device", "ok", hardware.device_name(torch.device(kind)))
    if kind != "cpu":
        return Finding("device", "ok", kind)
    text = f"{hardware.device_name(torch.device('cpu'))} (cpu)"
    idle = accelerator in ("auto", "gpu", "cuda") and any(Path(name).exists() for name in DRIVERS)
    if idle:
        why = "is built without CUDA" if not torch.version.cuda else "cannot use the driver"
        return Finding("device", "warning", f"{text}: there is a GPU, but PyTorch {why}", INSTALL)
    if accelerator in ("gpu", "cuda"):
        remedy = "leave --trainer.accelerator out"
        return Finding(
            "device", "error", f"{text}: {accelerator} was requested, but there is none", remedy
        )
    return Finding("device", "ok", text)


def _gpus() -> Finding:
    """Names the GPUs of NVIDIA, of which the driver may list some that CUDA cannot use."""
    count = torch.cuda.device_count()
    try:
        names = {torch.cuda.get_device_name(place) for place in range(count)}
    except RuntimeError as error:
        why = str(error).strip().partition("\n")[0].partition(". ")[0]
        remedy = f"update the driver, {INSTALL}, or take --trainer.accelerator cpu"
        return Finding("device", "error", f"{count} x cuda, which cannot be used: {why}", remedy)
    return Finding("device", "ok", f"{count} x {', '.join(sorted(names))} (cuda)")


def arithmetic(accelerator: object = "auto") -> Finding:
    """Names the precision that `fit` chooses on this device, and why."""
    kind = hardware.device_type(accelerator)
    try:
        chosen = hardware.precision(kind)
    except RuntimeError:
        return Finding("bfloat16", "warning", "not known, as the device cannot be used")
    if kind != "cpu":
        return Finding("bfloat16", "ok", f"fit takes {chosen}")
    flags = hardware.processor().flags
    known = (("AMX", "amx_bf16"), ("AVX512", "avx512_bf16"))
    units = [name for name, flag in known if flag in flags]
    support = f"by {' and '.join(units)}" if units else "not in this processor"
    return Finding("bfloat16", "ok", f"{support}; fit takes {chosen}")
