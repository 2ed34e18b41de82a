"""A module that does not compute what it did in training is told by its answers."""

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from lit_mnist.errors import UserError
from lit_mnist.models import answers
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import ClassifierModule, ConvNetModule
from lit_mnist.models.rebuild import rebuild
from lit_mnist.models.scoring import ScoredModule

NET = """
import torch
from torch import nn
from lit_mnist.models.modules import ClassifierModule

def squash(values):
    return values.relu()

class Net(nn.Module):
    scale = 2.0

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(784, 20)
        self.last = nn.Linear(20, 10)

    def forward(self, images):
        flat = images.flatten(1)
        return self.last(squash(self.first(flat)) * self.scale)

class NetModule(ClassifierModule):
    net_type = Net
"""
SAME = {
    "a comment": NET.replace("        flat = ", "        # one row an image\n        flat = "),
    "another local name": NET.replace("flat = ", "rows = ").replace("(flat)", "(rows)"),
    "another recipe": f"{NET}\n    def configure_optimizers(self):\n        return None\n",
    "the same in other words": NET.replace("values.relu()", "torch.clamp(values, min=0)"),
    "the same probabilities": NET.replace("* self.scale)", "* self.scale).log_softmax(1)"),
}
OTHER = {
    "another function": NET.replace("values.relu()", "values.tanh()"),
    "another constant": NET.replace("scale = 2.0", "scale = 1.5"),
    "another code": NET.replace("images.flatten(1)", "(images / 0.3081).flatten(1)"),
    "other pixels": NET.replace("images.flatten(1)", "images.mT.flatten(1)"),
}


def defined(monkeypatch, source):
    """The NetModule of a project's net.py, which takes the place of another project's."""
    module = ModuleType("net")
    monkeypatch.setitem(sys.modules, "net", module)
    exec(source, vars(module))  # as an import would
    return module.NetModule


def save(path, module, dtype=torch.float32):
    content = {"state_dict": module.to(dtype).state_dict()}
    module.on_save_checkpoint(content)
    torch.save(content, path)
    return content


def built(kind, seed=0, **options):
    torch.manual_seed(seed)
    return kind(**options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("source", SAME.values(), ids=SAME)
def test_what_changes_no_answer_does_not_count(here, monkeypatch, source, dtype):
    for seed, path in enumerate(("a.ckpt", "b.ckpt")):
        content = save(path, built(defined(monkeypatch, NET), seed), dtype)
        assert content[answers.KEY].shape == (answers.COUNT, 10)
    defined(monkeypatch, source)
    EnsembleModule(["a.ckpt", "b.ckpt"]).configure_model()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("source", OTHER.values(), ids=OTHER)
def test_weights_are_refused_to_what_answers_otherwise(here, monkeypatch, source, dtype):
    save("a.ckpt", built(defined(monkeypatch, NET)), dtype)
    save("b.ckpt", built(defined(monkeypatch, source), 1), dtype)
    with pytest.raises(UserError, match=r"^a\.ckpt: net\.NetModule answers otherwise") as raised:
        EnsembleModule(["a.ckpt", "b.ckpt"]).configure_model()
    assert "\n" not in str(raised.value)
    save("a.ckpt", built(sys.modules["net"].NetModule), dtype)
    EnsembleModule(["a.ckpt", "b.ckpt"]).configure_model()


class Forgetful(ScoredModule):
    """Saves no options."""

    def __init__(self, is_tanh=False):
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Flatten(), nn.Linear(784, 20)), nn.Tanh() if is_tanh else nn.ReLU()
        )
        self.last = nn.Linear(20, 10)

    def forward(self, images):
        return self.last(self.net(images))


def test_a_module_that_saves_no_options_is_not_rebuilt_with_others(tmp_path):
    content = save(tmp_path / "a.ckpt", built(Forgetful))
    rebuild(content, tmp_path / "a.ckpt")
    content = save(tmp_path / "a.ckpt", built(Forgetful, is_tanh=True))
    with pytest.raises(UserError, match="it saves not all of its options"):
        rebuild(content, tmp_path / "a.ckpt")


class Counting(ClassifierModule):
    """Changes a buffer whenever it is called, and drops out."""

    net_type = nn.Identity

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10), nn.Dropout(0.5)
        )
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, images):
        self.calls += 1
        return self.net(images)


def test_asking_leaves_module_weights_and_generators_as_they_were():
    module = built(Counting)
    module.net[2].eval()  # frozen by hand
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    modes, drawn = [part.training for part in module.modules()], torch.get_rng_state()
    content = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    assert answers.KEY in content
    assert [part.training for part in module.modules()] == modes
    assert torch.equal(torch.get_rng_state(), drawn)
    for state in (module.state_dict(), content["state_dict"]):
        assert all(torch.equal(state[name], weights[name]) for name in weights)
    assert all(value.grad is None and value.requires_grad for value in module.parameters())


def test_the_answers_are_those_of_the_weights_that_are_saved():
    """Not of those in the module, where a callback has put an average into the checkpoint."""
    module, averaged = built(Forgetful), built(Forgetful, 1)
    content = {"state_dict": averaged.state_dict()}
    module.on_save_checkpoint(content)
    expected = averaged.eval()(answers.images())
    assert torch.allclose(content[answers.KEY], expected, atol=1e-6)


class Noisy(Forgetful):
    """Draws random numbers in evaluation, too."""

    def forward(self, images):
        return super().forward(images + torch.rand_like(images))


class Trained(Forgetful):
    """Needs a trainer."""

    def forward(self, images):
        return super().forward(images) * self.trainer.current_epoch


@pytest.mark.parametrize("kind", [Noisy, Trained])
def test_of_a_module_without_fixed_answers_nothing_is_known(kind):
    content = {"state_dict": built(kind).state_dict()}
    built(kind).on_save_checkpoint(content)
    assert answers.KEY not in content
    assert not answers.differ(content, built(kind, 1))
    assert not answers.differ({**content, answers.KEY: torch.zeros(answers.COUNT, 10)}, built(kind))


def test_our_own_modules_and_damaged_answers_are_not_asked():
    module = built(ConvNetModule, widths=[[4]], kernels=[3])
    content = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    assert answers.KEY not in content
    user = built(Forgetful)
    for found in (None, 3, torch.zeros(3)):
        assert not answers.differ({"state_dict": user.state_dict(), answers.KEY: found}, user)


def test_the_images_are_bars_in_eight_directions():
    images = answers.images()
    assert images.shape == (answers.COUNT, 1, 28, 28)
    assert images.dtype == torch.float32
    assert 0 <= float(images.min()) < 0.001
    assert 0.9 < float(images.max()) <= 1
    assert torch.allclose(images[4, 0], images[0, 0].T, atol=1e-6)  # at a right angle
    brightest = images.flatten(1).sum(dim=1)
    assert torch.allclose(brightest, brightest.mean().expand(answers.COUNT), rtol=0.02)
