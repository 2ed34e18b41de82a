"""Modules whose answers depend on hooks that only a trainer calls."""

import pytest
import torch
from torch import nn

from lit_mnist.errors import UserError
from lit_mnist.models.modules import ClassifierModule
from lit_mnist.models.trained import network
from tests.models.test_rebuild import saved


class Tiny(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))


class Averaged(ClassifierModule):
    """Evaluates with averaged weights, which it swaps in as an evaluation starts."""

    net_type = Tiny

    def __init__(self):
        super().__init__()
        self.averaged = Tiny()

    def swap(self, *_):
        self.net, self.averaged = self.averaged, self.net


class AtEpochStart(Averaged):
    on_test_epoch_start = on_test_epoch_end = Averaged.swap


class AtPredictStart(Averaged):
    on_predict_start = on_predict_end = Averaged.swap


class AtEachBatch(Averaged):
    def on_validation_batch_start(self, batch, batch_idx, dataloader_idx=0):
        assert batch.images.shape[1:] == (1, 28, 28)
        self.swap()


class Sampling(Averaged):
    """Monte Carlo dropout: a test draws from it, too."""

    net_type = staticmethod(lambda: nn.Sequential(Tiny(), nn.Dropout(0.5)))

    def on_test_model_eval(self):
        self.train()


@pytest.mark.parametrize(
    ("kind", "hook"),
    [
        (AtEpochStart, "on_test_epoch_start"),
        (AtPredictStart, "on_predict_start"),
        (AtEachBatch, "on_validation_batch_start"),
        (Sampling, "on_test_model_eval"),
    ],
)
def test_a_module_whose_answers_a_hook_changes_is_refused(tmp_path, kind, hook):
    content = saved(kind(), tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=f"{kind.__name__} answers otherwise after its own {hook}"):
        network(content, tmp_path / "a.ckpt", [kind])


class Counting(Averaged):
    """Its hooks change nothing that it answers."""

    def on_validation_epoch_start(self):
        self.seen = []

    def on_test_batch_start(self, batch, batch_idx):
        self.count = batch_idx


class NeedsTrainer(Averaged):
    def on_test_start(self):
        if self.trainer.testing:
            self.swap()


def test_a_module_whose_hooks_change_no_answer_is_rebuilt_as_it_was(tmp_path, capsys):
    images, module = torch.rand(4, 1, 28, 28), Counting()
    content, before = saved(module, tmp_path / "a.ckpt"), torch.get_rng_state()
    rebuilt = network(content, tmp_path / "a.ckpt")
    assert torch.equal(rebuilt(images), module.net(images))
    assert not hasattr(rebuilt, "count")
    assert torch.equal(torch.get_rng_state(), before)
    assert capsys.readouterr() == ("", "")


def test_a_hook_that_works_only_within_a_trainer_is_told(tmp_path, capsys):
    path, images, module = tmp_path / "a.ckpt", torch.rand(4, 1, 28, 28), NeedsTrainer()
    assert torch.equal(network(saved(module, path), path)(images), module.net(images))
    told = f"{path}: NeedsTrainer: its own on_test_start is not called, as there is no trainer\n"
    assert capsys.readouterr().err == told


class Noisy(Averaged):
    """Changes the images of each batch in place."""

    def on_test_batch_start(self, batch, batch_idx):
        batch.images.mul_(0)


def test_a_module_whose_hook_changes_its_images_in_place_is_refused(tmp_path):
    content = saved(Noisy(), tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="Noisy answers otherwise after its own on_test_batch_st"):
        network(content, tmp_path / "a.ckpt", [Noisy])
