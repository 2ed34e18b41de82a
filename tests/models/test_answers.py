"""A module that does not compute what it did in training is told by its answers."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch import nn
from torch.nn.utils import prune
from torchmetrics import SumMetric

from lit_mnist.errors import UserError
from lit_mnist.models import answers
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import ClassifierModule, ConvNetModule
from lit_mnist.models.rebuild import rebuild
from lit_mnist.models.scoring import ScoredModule
from lit_mnist.runs import digests, entries

LOGIT = torch.zeros(1)
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
        assert content[entries.MODEL_ANSWERS]["logits"].shape == (answers.COUNT, 10)
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


class Pruned(Forgetful):
    """Has a weight that it computes from others, as the older forms of weight norm have."""

    def __init__(self, is_tanh=False):
        super().__init__(is_tanh)
        prune.l1_unstructured(self.last, "weight", amount=0.3)


def test_a_changed_module_with_computed_weights_is_noticed(tmp_path):
    content = save(tmp_path / "a.ckpt", built(Pruned, is_tanh=True))
    with pytest.raises(UserError, match="Pruned answers otherwise than in training"):
        rebuild(content, tmp_path / "a.ckpt")
    rebuild(save(tmp_path / "b.ckpt", built(Pruned)), tmp_path / "b.ckpt")


class Counting(ClassifierModule):
    """Counts its calls in every way, drops out, and has layers and weights of two names."""

    net_type = nn.Identity

    def __init__(self):
        super().__init__()
        self.block = nn.Linear(784, 784)
        self.net = nn.Sequential(
            *(nn.Flatten(), self.block, nn.Tanh(), self.block, nn.Tanh()),
            *(nn.Linear(784, 10), nn.BatchNorm1d(10), nn.Dropout(0.5)),
        )
        self.head = self.net[5]
        self.tied = nn.Linear(10, 10)
        self.tied.bias = self.head.bias
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("unsaved", torch.tensor(0), persistent=False)
        self.count, self.hooked, self.metric = 0, [], SumMetric()
        self.net.register_forward_hook(lambda *_: self.hooked.append(0))

    def forward(self, images):
        self.calls += 1
        self.unsaved += 1
        self.count += 1
        self.metric.update(1)
        return self.tied(self.net(images))


def test_asking_leaves_module_weights_and_generators_as_they_were():
    module = built(Counting)
    module.net[6].eval()  # frozen by hand
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    modes, drawn = [part.training for part in module.modules()], torch.get_rng_state()
    identities = [*map(id, module.parameters()), *map(id, module.buffers())]
    content = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    assert entries.MODEL_ANSWERS in content
    assert [part.training for part in module.modules()] == modes
    assert torch.equal(torch.get_rng_state(), drawn)
    for state in (module.state_dict(), content["state_dict"]):
        assert all(torch.equal(state[name], weights[name]) for name in weights)
    assert identities == [*map(id, module.parameters()), *map(id, module.buffers())]
    assert all(value.grad is None and value.requires_grad for value in module.parameters())
    assert (int(module.unsaved), module.count, module.hooked) == (0, 0, [])
    assert float(module.metric.sum_value) == 0
    assert not answers.differ(content, built(Counting, 1))


def test_the_answers_are_those_of_the_weights_that_are_saved():
    """Not of those in the module, where a callback has put an average into the checkpoint."""
    module, averaged = built(Forgetful), built(Forgetful, 1)
    content = {"state_dict": averaged.state_dict()}
    module.on_save_checkpoint(content)
    expected = averaged.eval()(answers.images())
    assert torch.allclose(content[entries.MODEL_ANSWERS]["logits"], expected, atol=1e-6)


class Noisy(Forgetful):
    """Draws random numbers in evaluation, too."""

    def forward(self, images):
        return super().forward(images + torch.rand_like(images))


class Trained(Forgetful):
    """Needs a trainer, and draws before it knows."""

    def forward(self, images):
        torch.rand(1)
        return super().forward(images) * self.trainer.current_epoch


class Twofold(Forgetful):
    """Evaluates to more than logits, as its own steps may expect."""

    def evaluate(self, batch):
        return self(batch.images), batch.labels


@pytest.mark.parametrize("kind", [Noisy, Trained, Twofold])
def test_of_a_module_without_fixed_answers_nothing_is_known(kind):
    module = built(kind)
    content = {"state_dict": module.state_dict()}
    drawn = torch.get_rng_state()
    module.on_save_checkpoint(content)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert entries.MODEL_ANSWERS not in content
    assert not answers.differ(content, built(kind, 1))
    other = {"state_dict": built(Forgetful).state_dict()}
    built(Forgetful).on_save_checkpoint(other)
    assert not answers.differ(other, module)


class Averaging(Forgetful):
    """Saves other weights than those that it was asked with."""

    def on_save_checkpoint(self, checkpoint):
        super().on_save_checkpoint(checkpoint)
        weights = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: value / 2 for name, value in weights.items()}


class Switching(Forgetful):
    """Has a mode of its own, which `train` switches."""

    is_sharp = False

    def train(self, mode=True):
        self.is_sharp = not mode
        return super().train(mode)

    def forward(self, images):
        return super().forward(images) * (3 if self.is_sharp else 1)


class Warm(Forgetful):
    """Keeps numbers in its checkpoint that are no weights."""

    temperature = scale = 1.0

    def on_save_checkpoint(self, checkpoint):
        super().on_save_checkpoint(checkpoint)
        checkpoint["temperature"] = self.temperature

    def on_load_checkpoint(self, checkpoint):
        self.temperature = checkpoint.pop("temperature")

    def get_extra_state(self):
        return self.scale

    def set_extra_state(self, state):
        self.scale = state

    def forward(self, images):
        return (super().forward(images) + torch.arange(10) * self.scale) / self.temperature


@pytest.mark.parametrize("kind", [Averaging, Switching, Warm])
def test_a_module_that_is_as_it_was_is_accepted(tmp_path, kind):
    module = built(kind)
    module.temperature, module.scale = 3.0, 2.0
    content = save(tmp_path / "a.ckpt", module)
    assert entries.MODEL_ANSWERS in content
    assert not answers.differ(content, built(kind, 1))  # which has not loaded it yet, as in `test`
    rebuild(content, tmp_path / "a.ckpt")


def test_answers_of_weights_that_were_replaced_since_do_not_count(tmp_path):
    content = save(tmp_path / "a.ckpt", built(Forgetful))
    content["state_dict"]["last.bias"] = torch.arange(10) * 100.0
    rebuild(content, tmp_path / "a.ckpt")


def test_a_module_in_part_of_the_processes_is_not_asked():
    module = built(Forgetful)
    for strategy, is_asked in ((DDPStrategy(), True), (FSDPStrategy(), False)):
        module._trainer = SimpleNamespace(strategy=strategy)
        content = {"state_dict": module.state_dict()}
        answers.store(module, content)
        assert (entries.MODEL_ANSWERS in content) is is_asked


def test_our_own_modules_and_damaged_answers_are_not_asked():
    module = built(ConvNetModule, widths=[[4]], kernels=[3])
    content = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    assert entries.MODEL_ANSWERS not in content
    user = built(Forgetful)
    weights = user.state_dict()
    digest = digests.of_weights(weights)
    for found in (None, 3, {}, *({"logits": one, "weights_sha256": digest} for one in (3, LOGIT))):
        assert not answers.differ({"state_dict": weights, entries.MODEL_ANSWERS: found}, user)


def test_the_images_are_bars_in_eight_directions():
    images = answers.images()
    assert images.shape == (answers.COUNT, 1, 28, 28)
    assert images.dtype == torch.float32
    assert 0 <= float(images.min()) < 0.001
    assert 0.9 < float(images.max()) <= 1
    assert torch.allclose(images[4, 0], images[0, 0].T, atol=1e-6)  # at a right angle
    brightest = images.flatten(1).sum(dim=1)
    assert torch.allclose(brightest, brightest.mean().expand(answers.COUNT), rtol=0.02)
