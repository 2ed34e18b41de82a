"""Explains what a device cannot do, or several of them together."""

import re

import torch

_CPU = "--trainer.accelerator cpu"
# What PyTorch says, and what to tell; {} stands for the pattern's groups
_MESSAGES = (
    (
        r"(\S+) does not have a deterministic implementation",
        "{} is not deterministic on this device; take --trainer.deterministic warn, which only"
        " warns of such operations, or false",
    ),
    (  # the driver lists a GPU, but CUDA cannot use it
        r"(NVIDIA driver on your system is too old|Found no NVIDIA driver|CUDA unknown error"
        r"|CUDA driver initialization failed)",
        "the GPU cannot be used ({}); update its driver, install a PyTorch built for it"
        f" (https://pytorch.org/get-started), or take {_CPU}",
    ),
    (
        r"(no kernel image) is available",
        "this PyTorch is not built for this GPU ({}); install one that is"
        f" (https://pytorch.org/get-started), or take {_CPU}",
    ),
    (
        r"(CUDA-capable device\(s\) (?:is/)?are busy)",
        "the GPU belongs to another program ({}); end it, name another GPU in"
        f" CUDA_VISIBLE_DEVICES, or take {_CPU}",
    ),
    (
        r"(MPS framework doesn't support float64)",
        "this GPU has no float64 ({}); take --trainer.precision 32-true and float32 in the model,"
        f" or {_CPU}",
    ),
    (
        r"operator '(\S+)' is not currently implemented for the MPS device",
        f"{{}} does not exist on this GPU; take {_CPU}, or set PYTORCH_ENABLE_MPS_FALLBACK=1",
    ),
    (  # of Lightning; each task of SLURM may see a GPU of its own and no other
        r"requested gpu: (\[.*?\]) But your machine only has: (\[.*?\])",
        "--trainer.devices: GPUs {} are wanted, and {} are there; take fewer, or under SLURM let"
        " each task see all GPUs of its node, as with --gpus-per-node",
    ),
    # Of NCCL, except that another rank has failed, which that one explains
    (
        r"^(?!.*ncclRemoteError).*NCCL.* Last error: (.{1,300})",
        "NCCL cannot connect the GPUs: {}; give each rank a GPU of its own, and set NCCL_DEBUG=WARN"
        " to learn more",
    ),
)


def explained(error: BaseException, text: str) -> str:
    """Explains an error of a device and names the remedy; empty for other errors.

    Args:
        error: The error.
        text: Its message on one line.
    """
    if _out_of_memory(error, text):
        return (
            "out of memory; lower --data.batch_size or --data.eval_batch_size, end other"
            " programs, or take another --trainer.accelerator"
        )
    for pattern, message in _MESSAGES:
        if found := re.search(pattern, text):
            return message.format(*found.groups())
    return ""


def _out_of_memory(error: BaseException, text: str) -> bool:
    phrases = ("out of memory", "can't allocate memory", "Cannot allocate memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(phrase in text for phrase in phrases)
    )
