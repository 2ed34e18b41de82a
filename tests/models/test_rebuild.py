"""Modules rebuilt from their checkpoints."""

import threading
import time
import warnings

import pytest
import torch
from torch import nn

from lit_mnist.errors import UserError
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import ClassifierModule, DenseModule
from lit_mnist.models.nets import Dense
from lit_mnist.models.trained import network
from tests.own_modules import CenteredModule, ChoiceModule


class WithMean(Dense):
    def forward(self, images):
        logits = super().forward(images)
        return logits, logits.mean()


class Unpacking(ClassifierModule):
    net_type = WithMean

    def evaluate(self, batch):
        return 2 * self(batch.images)[0]


def saved(module, path):
    """Writes a checkpoint, as far as a network is rebuilt from it; returns its content."""
    kind = type(module)
    name = {"_class_path": f"{kind.__module__}.{kind.__name__}"}
    content = {"state_dict": module.state_dict(), "hyper_parameters": name}
    torch.save(content, path)
    return content


def test_a_module_with_its_own_evaluation_is_rebuilt_with_it(tmp_path):
    images, paths, expected = torch.rand(4, 1, 28, 28), [], []
    for seed in (1, 2):
        torch.manual_seed(seed)
        module = Unpacking().eval()
        paths.append(tmp_path / f"{seed}.ckpt")
        content = saved(module, paths[-1])
        with torch.no_grad():
            expected.append(2 * module.net(images)[0])
            torch.testing.assert_close(network(content, paths[-1])(images), expected[-1])
    committee = EnsembleModule(list(map(str, paths)))
    with torch.no_grad():
        probabilities = nn.functional.softmax(torch.stack(expected), dim=2).mean(dim=0)
        torch.testing.assert_close(committee(images).exp(), probabilities)


class Renames(DenseModule):
    """Saves its weights under other names."""

    def on_load_checkpoint(self, checkpoint):
        weights = checkpoint["state_dict"]
        for name in list(weights):
            weights[name.removeprefix("own.")] = weights.pop(name)


def test_a_hook_that_changes_what_it_loads_leaves_the_caller_s_checkpoint(tmp_path):
    content = saved(Renames(), tmp_path / "a.ckpt")
    content["state_dict"] = {f"own.{name}": one for name, one in content["state_dict"].items()}
    for _ in range(2):
        network(content, tmp_path / "a.ckpt")
        assert all(name.startswith("own.") for name in content["state_dict"])


class AsksItsTrainer(DenseModule):
    """Asks what only training needs."""

    def setup(self, stage):
        self.epochs = self.trainer.max_epochs


class NeedsItsTrainer(AsksItsTrainer):
    def forward(self, images):
        return super().forward(images) * self.epochs


class Configures(DenseModule):
    def configure_model(self):
        self.last = nn.Linear(10, self.trainer.max_epochs)


def test_what_a_setup_asks_of_its_trainer_is_not_needed_for_answers(tmp_path):
    module, images = AsksItsTrainer().eval(), torch.rand(2, 1, 28, 28)
    rebuilt = network(saved(module, tmp_path / "a.ckpt"), tmp_path / "a.ckpt")
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(images), module(images))


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (NeedsItsTrainer, "NeedsItsTrainer cannot read a single image .*'epochs'"),
        (Configures, "Configures cannot make its layers .*not attached to a `Trainer`"),
    ],
)
def test_a_module_that_needs_its_trainer_for_answers_is_refused(tmp_path, kind, problem):
    content = saved(kind(), tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=problem):
        network(content, tmp_path / "a.ckpt")


@pytest.fixture
def doubles():
    """Sets the caller's default precision when called."""
    before = torch.get_default_dtype()
    yield lambda: torch.set_default_dtype(torch.float64)
    torch.set_default_dtype(before)


@pytest.mark.parametrize("kind", [DenseModule, CenteredModule, ChoiceModule])
def test_the_caller_s_default_precision_changes_nothing(tmp_path, doubles, kind):
    path, images = tmp_path / "a.ckpt", torch.rand(4, 1, 28, 28)
    content = saved(kind(), path)
    with torch.no_grad():
        expected = network(content, path)(images)
        doubles()
        found = network(content, path)(images)
    assert torch.equal(found, expected)
    assert found.dtype == torch.float32
    assert torch.get_default_dtype() == torch.float64


def test_it_is_built_on_the_cpu_whatever_a_gpu_s_driver_can_do(tmp_path, monkeypatch):
    def set_up():
        raise RuntimeError("The NVIDIA driver on your system is too old")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", set_up)
    content = saved(Unpacking(), tmp_path / "a.ckpt")
    assert network(content, tmp_path / "a.ckpt")(torch.rand(2, 1, 28, 28)).shape == (2, 10)


class Doubled(nn.Module):
    """A layer of another precision than that of the images, to which its forward brings them."""

    dtype = torch.float64

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(784, 10).to(self.dtype)

    def forward(self, images):
        return self.last(images.flatten(1).to(self.dtype))


class Halved(Doubled):
    dtype = torch.bfloat16


class DoubledModule(ClassifierModule):
    net_type = Doubled


class HalvedModule(ClassifierModule):
    net_type = Halved


def test_each_layer_keeps_the_precision_of_its_class(tmp_path):
    images, paths, expected = torch.rand(4, 1, 28, 28), [], []
    for kind in (DoubledModule, HalvedModule, DenseModule):
        module = kind().eval()
        paths.append(tmp_path / f"{kind.__name__}.ckpt")
        content = saved(module, paths[-1])
        with torch.no_grad():
            expected.append(module(images))
            assert torch.equal(network(content, paths[-1])(images), expected[-1])
    committee = EnsembleModule(list(map(str, paths)))
    with torch.no_grad():
        found = committee(images)
    assert found.dtype == torch.float64
    mean = torch.stack([logits.double().softmax(1) for logits in expected]).mean(0)
    torch.testing.assert_close(found.exp(), mean)


class Inverting(DenseModule):
    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch


def test_a_module_that_changes_its_batches_in_a_hook_is_refused(tmp_path):
    name = {"_class_path": f"{__name__}.Inverting"}
    content = {"state_dict": Inverting().state_dict(), "hyper_parameters": name}
    with pytest.raises(UserError, match="Inverting changes its batches in on_before_batch"):
        network(content, tmp_path / "a.ckpt")


class Slow(DenseModule):
    """Counts how many are made at once."""

    now, most = 0, 0

    def __init__(self):
        Slow.now += 1
        Slow.most = max(Slow.most, Slow.now)
        time.sleep(0.05)
        super().__init__()
        Slow.now -= 1


def test_threads_rebuild_one_after_another(tmp_path):
    """The filters of warnings, which each changes for a while, are shared by all."""
    content, before, made = saved(Slow(), tmp_path / "a.ckpt"), list(warnings.filters), []
    threads = [
        threading.Thread(target=lambda: made.append(network(content, tmp_path / "a.ckpt")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), Slow.most) == (3, 1)
    assert list(warnings.filters) == before


def test_a_module_is_rebuilt_where_warnings_are_errors(tmp_path, monkeypatch):
    monkeypatch.setattr("jsonargparse._deprecated.shown_deprecation_warnings", set())
    content = saved(Slow(), tmp_path / "a.ckpt")
    with warnings.catch_warnings(action="error"):
        assert isinstance(network(content, tmp_path / "a.ckpt"), Slow)
