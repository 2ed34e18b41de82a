"""The device of a run and its precision."""

from pathlib import Path

import torch

from lit_mnist.doctor.finding import Finding
from lit_mnist.training import hardware

DRIVERS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")  # the last: in WSL


def device(accelerator: object = "auto") -> Finding:
    """Names the device of a run with this `--trainer.accelerator`."""
    kind = hardware.device_type(accelerator)
    if kind == "cuda":
        count = torch.cuda.device_count()
        names = {torch.cuda.get_device_name(place) for place in range(count)}
        return Finding("device", "ok", f"{count} x {', '.join(sorted(names))} (cuda)")
    if kind != "cpu":
        return Finding("device", "ok", kind)
    text = f"{hardware.device_name(torch.device('cpu'))} (cpu)"
    idle = accelerator in ("auto", "gpu", "cuda") and any(Path(name).exists() for name in DRIVERS)
    if idle:
        why = "is built without CUDA" if not torch.version.cuda else "cannot use the driver"
        remedy = "install a PyTorch for your driver: https://pytorch.org/get-started"
        return Finding("device", "warning", f"{text}: there is a GPU, but PyTorch {why}", remedy)
    if accelerator in ("gpu", "cuda"):
        remedy = "leave --trainer.accelerator out"
        return Finding(
            "device", "error", f"{text}: {accelerator} was asked for, without one", remedy
        )
    return Finding("device", "ok", text)


def arithmetic(accelerator: object = "auto") -> Finding:
    """Names the precision that `fit` chooses on this device, and why."""
    kind = hardware.device_type(accelerator)
    chosen = hardware.precision(kind)
    if kind != "cpu":
        return Finding("bfloat16", "ok", f"fit takes {chosen}")
    flags = hardware.processor().flags
    has = [name for name, flag in (("AMX", "amx_bf16"), ("AVX512", "avx512_bf16")) if flag in flags]
    by = f"by {' and '.join(has)}" if has else "not in this processor"
    return Finding("bfloat16", "ok", f"{by}; fit takes {chosen}")
