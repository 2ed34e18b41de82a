"""Errors of libraries on one line; a bug of the program keeps its traceback."""

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.commands.dependency_errors import explained
from lit_mnist.errors import PeerError, UserError


def raised(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 # each caller's is of another kind
        call()
    return explained(caught.value)


def test_an_operation_that_is_not_deterministic_is_named():
    error = RuntimeError(
        "grid_sampler_2d_backward_cuda does not have a deterministic implementation, but you set"
        " 'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this"
        " operation, or you can use the 'warn_only=True' option."
    )
    told = explained(error)
    assert isinstance(told, UserError)
    assert str(told).startswith("grid_sampler_2d_backward_cuda is not deterministic")
    assert "--trainer.deterministic warn" in str(told)


def test_torch_still_says_it_in_these_words():
    torch.use_deterministic_algorithms(True)
    try:
        told = raised(lambda: torch.zeros(3).put_(torch.tensor([0]), torch.ones(1)))
    finally:
        torch.use_deterministic_algorithms(False)
    assert "put_ is not deterministic" in str(told)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_memory_that_is_used_up_is_told_with_the_remedy(error):
    assert "lower --data.batch_size" in str(explained(error))
    assert isinstance(explained(error), UserError)


def test_torch_still_says_so_when_memory_is_used_up():
    assert "memory is used up" in str(raised(lambda: torch.empty(2**62, dtype=torch.uint8)))


def test_lightnings_refusals_become_a_line_about_the_option():
    told = raised(lambda: Trainer(accelerator="cpu", overfit_batches=-3, logger=False))
    assert str(told).startswith("--trainer: You have passed invalid value -3")
    assert isinstance(explained(MisconfigurationException("a\n b")), UserError)
    assert str(explained(MisconfigurationException("a\n b"))) == "--trainer: a; b"


def test_a_peers_end_is_no_fault_of_the_user():
    assert isinstance(explained(RuntimeError("Connection closed by peer [127.0.0.1]")), PeerError)


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError, KeyError])
def test_the_programs_own_errors_stay_what_they_are(kind):
    error = kind("a bug")

    def bug():
        raise error

    assert raised(bug) is error
    assert explained(UserError("x")).args == ("x",)


def test_a_share_that_is_no_whole_batch_names_each_option_that_may_have_set_it(tmp_path):
    for option in ("limit_val_batches", "overfit_batches"):
        trainer = Trainer(
            accelerator="cpu",
            logger=False,
            max_epochs=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            default_root_dir=tmp_path,
            **{option: 0.001},
        )
        error = raised(lambda: trainer.fit(BoringModel()))  # noqa: B023 # called at once
        text = str(explained(error))
        assert text.startswith("--trainer.limit_")
        assert "(or --trainer.overfit_batches): less than one of 64 batches" in text


def test_a_loss_that_depends_on_nothing_is_told_with_the_remedy():
    told = raised(torch.zeros(1).sum().backward)
    assert isinstance(told, UserError)
    assert str(told).startswith("the loss depends on no trained weight")


@pytest.fixture
def rank():
    """This process is the only one of a group on gloo."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def unused():
    net = DistributedDataParallel(nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)]))
    net.module.forward = lambda images: net.module[0](images)
    for _ in range(2):
        net(torch.ones(1, 1)).sum().backward()


@pytest.mark.usefixtures("rank")
@pytest.mark.parametrize(
    ("call", "line"),
    [
        (unused, "the loss does not depend on some"),
        (
            lambda: DistributedDataParallel(nn.SyncBatchNorm(1)),
            "--trainer.sync_batchnorm: ranks on a CPU",
        ),
        (
            lambda: DistributedDataParallel(nn.Linear(1, 1).requires_grad_(False)),
            "the loss depends on no trained weight",
        ),
    ],
)
def test_ddps_refusals_are_told_with_the_remedy(call, line):
    told = raised(call)
    assert isinstance(told, UserError)
    assert str(told).startswith(line)
