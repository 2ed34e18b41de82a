"""What a device says that it cannot do, with the remedy."""

import pytest
from lightning.fabric.accelerators import cuda
from lightning.fabric.utilities.device_parser import _sanitize_gpu_ids
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_mnist.command_line.dependency_errors import explained, of_trainer
from lit_mnist.errors import PeerError, UserError

DUPLICATE = """NCCL error in: NCCLUtils.cpp:94, invalid usage (run with NCCL_DEBUG=WARN for details)
ncclInvalidUsage: This usually reflects invalid usage of NCCL library.
Last error:
Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 6000"""
REMOTE = """NCCL error in: NCCLUtils.cpp:94, remote process exited, Connection closed by peer
ncclRemoteError: A call failed possibly due to a network error or a remote process exiting.
Last error:
socketProgress: Connection closed by remote peer"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "The NVIDIA driver on your system is too old (found version 11040). Please update your",
            "the GPU cannot be used (NVIDIA driver on your system is too old); update its driver",
        ),
        (
            "CUDA error: no kernel image is available for execution on the device",
            "this PyTorch is not built for this GPU (no kernel image); install one that is",
        ),
        (
            "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
            "the GPU belongs to another program (CUDA-capable device(s) is/are busy); end it",
        ),
        (
            "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support"
            " float64. Please use float32 instead.",
            "this GPU has no float64 (MPS framework doesn't support float64);"
            " take --trainer.precision 32-true",
        ),
        (
            "The operator 'aten::_linalg_eigh' is not currently implemented for the MPS device.",
            "aten::_linalg_eigh does not exist on this GPU; take --trainer.accelerator cpu",
        ),
        (
            DUPLICATE,
            "NCCL cannot connect the GPUs: Duplicate GPU detected : rank 1 and rank 0 both on CUDA"
            " device 6000; give each rank a GPU of its own",
        ),
    ],
)
def test_what_a_device_refuses_is_told_with_the_remedy(text, told):
    found = explained(RuntimeError(text))
    assert isinstance(found, UserError)
    assert str(found).startswith(told)


def test_gpus_that_are_not_there_are_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(cuda, "_get_all_visible_cuda_devices", lambda: [0])
    with pytest.raises(MisconfigurationException) as caught:
        _sanitize_gpu_ids([0, 1], include_cuda=True)
    told = "--trainer.devices: GPUs [0, 1] are wanted, and [0] are there; take fewer, or"
    assert str(of_trainer(caught.value)).startswith(told)
    assert str(of_trainer(ValueError("a\n b"))) == "--trainer: a; b"


def test_the_end_of_another_rank_is_no_fault_of_the_gpus():
    assert isinstance(explained(RuntimeError(REMOTE)), PeerError)
