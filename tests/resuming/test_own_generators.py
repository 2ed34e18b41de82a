"""Generators of a user's own continue as if there had been no resume."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.trainer.states import TrainerFn

from lit_mnist.models import DenseModule
from lit_mnist.resuming.own_generators import OwnGenerators
from tests.fitting import callback, fitted
from tests.stopping import STOP_AT, assert_same_end, folder, stopped


class Mixes(DenseModule):
    """Mixes its images by generators of its own, one of which each epoch makes anew."""

    def __init__(self):
        super().__init__()
        self.numbers = np.random.default_rng(2)

    def on_train_epoch_start(self):
        self.order = torch.Generator().manual_seed(self.current_epoch)

    def training_step(self, batch, batch_idx):
        share = float(self.numbers.beta(0.4, 0.4))
        places = torch.randperm(len(batch.labels), generator=self.order)
        mixed = share * batch.images + (1 - share) * batch.images[places]
        return super().training_step(batch.replace(images=mixed), batch_idx)


class Scales(Callback):
    """Scales a weight by a random number of a generator of its own."""

    def __init__(self):
        self.numbers = random.Random(3)

    def on_train_batch_end(self, trainer, pl_module, *_):
        pl_module.net[1].bias.data.mul_(1 - self.numbers.random() / 10)


@pytest.mark.parametrize("moment", ["13", "end of 0"])
def test_a_resumed_run_draws_on(run_cli, monkeypatch, moment):
    same = ("--model", f"{__name__}.Mixes", *callback(f"{__name__}.Scales"), STOP_AT)
    same += ("--every_n_train_steps", "3", "--name")
    fitted(run_cli("fit", *same, "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "cut")
    fitted(run_cli("fit", *same, "cut"))
    assert_same_end(folder("whole"), folder("cut"))


KINDS = {
    "torch": lambda: torch.Generator().manual_seed(1),
    "Python": lambda: random.Random(1),
    **{
        name: lambda name=name: np.random.Generator(getattr(np.random, name)(1))
        for name in ("PCG64", "MT19937", "Philox", "SFC64")
    },
}


def draw(one):
    if isinstance(one, torch.Generator):
        return torch.rand((), generator=one).item()
    return one.random()


def trainer_of():
    state = SimpleNamespace(fn=TrainerFn.FITTING)
    return SimpleNamespace(world_size=1, global_rank=0, state=state, callbacks=[])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_generator_is_restored_from_a_file(tmp_path, kind):
    trainer, module, own, checkpoint = trainer_of(), LightningModule(), OwnGenerators(), {}
    module.part = torch.nn.Linear(1, 1)
    module.part.numbers = KINDS[kind]()
    draw(module.part.numbers)
    own.on_save_checkpoint(trainer, module, checkpoint)
    torch.save(checkpoint, tmp_path / "a.ckpt")
    expected = draw(module.part.numbers)
    own.on_load_checkpoint(trainer, module, torch.load(tmp_path / "a.ckpt", weights_only=True))
    own.after_start(trainer, module)
    assert draw(module.part.numbers) == expected


def test_a_generator_of_another_kind_than_then_is_left_alone():
    trainer, module, own, checkpoint = trainer_of(), LightningModule(), OwnGenerators(), {}
    module.numbers = KINDS["PCG64"]()
    own.on_save_checkpoint(trainer, module, checkpoint)
    own.on_load_checkpoint(trainer, module, checkpoint)
    module.numbers = KINDS["torch"]()
    expected = draw(KINDS["torch"]())
    own.after_start(trainer, module)
    assert draw(module.numbers) == expected


def test_a_checkpoint_without_any_has_no_entry():
    checkpoint = {}
    OwnGenerators().on_save_checkpoint(trainer_of(), LightningModule(), checkpoint)
    assert checkpoint == {}
