"""Errors of libraries are put on one line; a bug of the program keeps its traceback."""

import re
import threading

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.tuner.lr_finder import _ExponentialLR
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import prune

from lit_mnist.command_line.dependency_errors import explained
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
    explanation = explained(error)
    assert isinstance(explanation, UserError)
    assert str(explanation).startswith("grid_sampler_2d_backward_cuda is not deterministic")
    assert "--trainer.deterministic warn" in str(explanation)


def test_torch_s_wording_for_determinism_is_unchanged():
    torch.use_deterministic_algorithms(True)
    try:
        explanation = raised(lambda: torch.zeros(3).put_(torch.tensor([0]), torch.ones(1)))
    finally:
        torch.use_deterministic_algorithms(False)
    assert "put_ is not deterministic" in str(explanation)


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
def test_out_of_memory_is_reported_with_the_remedy(error):
    assert "lower --data.batch_size" in str(explained(error))
    assert isinstance(explained(error), UserError)


def test_torch_s_wording_for_out_of_memory_is_unchanged():
    assert "out of memory" in str(raised(lambda: torch.empty(2**62, dtype=torch.uint8)))


def test_lightnings_refusals_become_a_line_about_the_option():
    explanation = raised(lambda: Trainer(accelerator="cpu", overfit_batches=-3, logger=False))
    assert str(explanation).startswith("--trainer: You have passed invalid value -3")
    assert isinstance(explained(MisconfigurationException("a\n b")), UserError)
    assert str(explained(MisconfigurationException("a\n b"))) == "--trainer: a; b"


def test_what_a_strategy_refuses_of_a_module_becomes_a_line_about_the_option():
    strategy = ModelParallelStrategy()
    strategy.accelerator = CPUAccelerator()
    strategy.connect(BoringModel())
    explanation = raised(lambda: strategy.setup(None))
    assert isinstance(explanation, UserError)
    assert re.match(r"--trainer\.strategy: .*`configure_model\(\)`.*; take auto", str(explanation))


def test_a_peer_s_failure_is_not_a_user_error():
    assert isinstance(explained(RuntimeError("Connection closed by peer [127.0.0.1]")), PeerError)


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError, KeyError])
def test_internal_errors_keep_their_traceback(kind):
    error = kind("a bug")

    def bug():
        raise error

    assert raised(bug) is error
    assert explained(UserError("x")).args == ("x",)


def test_a_proportion_below_one_batch_names_the_possible_options(tmp_path):
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


def test_a_loss_without_gradient_is_reported_with_the_remedy():
    explanation = raised(torch.zeros(1).sum().backward)
    assert isinstance(explanation, UserError)
    assert str(explanation).startswith("the loss depends on no trained weight")


class SkipsSteps(BoringModel):
    def training_step(self, batch, batch_idx):
        """Returns nothing."""


def test_a_step_that_is_skipped_on_several_ranks_is_reported_with_the_remedy(trainer, monkeypatch):
    monkeypatch.setattr(Trainer, "world_size", 2)
    explanation = raised(lambda: trainer.fit(SkipsSteps()))
    assert isinstance(explanation, UserError)
    assert str(explanation).startswith(
        "training_step returned None, but ranks take each step together"
    )


def two_optimizers(parameters):
    return [torch.optim.SGD([one], lr=0.1) for one in parameters]


@pytest.fixture
def trainer(tmp_path):
    off = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    return Trainer(accelerator="cpu", default_root_dir=tmp_path, **off)


@pytest.mark.parametrize("returned", [two_optimizers, lambda _: {"optimiser": None}])
def test_unusable_optimizers_are_reported_as_the_model_s(returned, trainer):
    model = BoringModel()
    model.configure_optimizers = lambda: returned(model.parameters())
    explanation = raised(lambda: trainer.fit(model))
    assert isinstance(explanation, UserError)
    assert str(explanation).startswith("training cannot use what the model's configure_optimizers")


@pytest.mark.parametrize("whole", [int, float])
def test_a_schedule_over_a_run_without_an_end_is_told_what_it_needs(tmp_path, whole):
    class Cycle(BoringModel):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
            steps = whole(self.trainer.estimated_stepping_batches)
            return [optimizer], [torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, steps)]

    off = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    endless = Trainer(accelerator="cpu", default_root_dir=tmp_path, max_epochs=-1, **off)
    explanation = raised(lambda: endless.fit(Cycle()))
    assert isinstance(explanation, UserError)
    assert str(explanation) == (
        "the model's configure_optimizers needs the number of steps, and this run has no end; give"
        " --trainer.max_epochs or --trainer.max_steps"
    )


def test_a_loss_per_image_is_reported_with_the_remedy(trainer):
    model = BoringModel()
    model.training_step = lambda batch, batch_idx: model(batch)
    explanation = raised(lambda: trainer.fit(model))
    assert isinstance(explanation, UserError)
    assert str(explanation).startswith("the loss is not a single number")


def test_an_error_of_the_users_own_autograd_call_is_not_explained():
    error = raised(torch.zeros(2, requires_grad=True).backward)
    assert isinstance(error, RuntimeError)


@pytest.fixture
def rank():
    """Makes this process the only one of a gloo group."""
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
def test_ddp_s_refusals_are_reported_with_the_remedy(call, line):
    explanation = raised(call)
    assert isinstance(explanation, UserError)
    assert str(explanation).startswith(line)


def test_a_division_by_zero_within_lightning_names_its_place():
    with pytest.raises(ZeroDivisionError) as caught:
        _ExponentialLR(torch.optim.SGD([torch.zeros(1)], 0.1), 1.0, num_iter=0)
    message = "--trainer: division by zero in Lightning's lr_finder; give its numbers 1 or more"
    assert str(explained(caught.value)) == message


def test_batch_normalisation_of_a_single_image_is_reported_with_the_remedy():
    line = str(raised(lambda: nn.BatchNorm1d(4)(torch.zeros(1, 4))))
    assert line.startswith("batch normalisation needs two images or more")
    assert "--data.batch_size" in line


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("average", ["stochastic_weight_avg", "weight_averaging"])
@pytest.mark.parametrize("change", ["prune", "weight_norm", "lock"])
def test_a_model_that_no_callback_can_copy_is_reported_with_the_remedy(average, change, trainer):
    model = BoringModel()
    if change == "prune":
        prune.l1_unstructured(model.layer, "weight", amount=0.5)
    elif change == "weight_norm":
        nn.utils.weight_norm(model.layer)
    else:
        model.lock = threading.Lock()
    swa = average == "stochastic_weight_avg"
    trainer.callbacks.append(StochasticWeightAveraging(0.1) if swa else EMAWeightAveraging())
    explanation = raised(lambda: trainer.fit(model))
    assert isinstance(explanation, UserError)
    assert str(explanation).startswith(
        f"--trainer.callbacks: {average} cannot work with this model"
    )
    assert "; leave it out" in str(explanation)


def test_an_error_in_the_copy_of_a_user_s_own_class_keeps_its_traceback(trainer):
    class Odd:
        def __deepcopy__(self, memo):
            raise RuntimeError("a bug")

    model = BoringModel()
    model.odd = Odd()
    trainer.callbacks.append(EMAWeightAveraging())
    assert type(raised(lambda: trainer.fit(model))) is RuntimeError
