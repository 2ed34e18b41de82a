"""DDP is built anew for layers that are unfrozen; real ranks are in test_ddp."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.resuming.frozen import Frozen
from lit_mnist.runs import entries
from tests import recipes
from tests.fitting import callback, fitted, recipe
from tests.stopping import STOP_AT, assert_same_end, folder, stopped


def fitting(validating=False, **more):
    given = {"state": SimpleNamespace(fn=TrainerFn.FITTING), "validating": validating}
    alone = SimpleNamespace(model=None)
    return SimpleNamespace(**given, callbacks=(), ckpt_path="last.ckpt", strategy=alone, **more)


def resumed(net, checkpoint):
    frozen = Frozen()
    frozen.on_load_checkpoint(fitting(), net, checkpoint)
    frozen.after_start(fitting(), net)


def test_ddp_is_built_anew_while_the_gpu_does_nothing_else(monkeypatch):
    done, net = [], nn.Linear(1, 1)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: done.append("waited"))
    strategy = SimpleNamespace(
        model=DistributedDataParallel.__new__(DistributedDataParallel),
        root_device=torch.device("cuda:1"),
        configure_ddp=lambda: done.append("built"),
    )
    trainer, frozen = SimpleNamespace(strategy=strategy), Frozen()
    frozen.on_fit_start(trainer, net)
    frozen.on_train_batch_start(trainer, net, None, 0)
    assert done == []
    net.bias.requires_grad_(False)
    frozen.on_train_batch_start(trainer, net, None, 0)
    assert done == ["waited", "built", "waited"]
    assert strategy.model is net


@pytest.mark.parametrize("freezes", [True, False])
def test_only_what_the_module_no_longer_freezes_by_itself_stays_free(freezes):
    trainer, checkpoint = fitting(), {}
    before, now = (nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)) for _ in range(2))
    before[0].requires_grad_(False)
    frozen = Frozen()
    frozen.after_start(trainer, before)
    before[1].requires_grad_(False)  # while it is trained
    frozen.on_save_checkpoint(trainer, before, checkpoint)
    now[0].requires_grad_(not freezes)
    resumed(now, checkpoint)
    assert [layer.weight.requires_grad for layer in now] == [not freezes, False]


@pytest.mark.parametrize("moment", ["10", "13"])  # of 9 a batch: at the epoch's end, and later
def test_layers_in_eval_mode_stay_so_after_a_resume(run_cli, monkeypatch, moment):
    same = ("--model", "tests.stateful.EvaluatesParts", STOP_AT, "--every_n_train_steps", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


@pytest.mark.parametrize("moment", ["11", "15"])  # 12 batches come before the layer is unfrozen
def test_a_layer_unfrozen_within_an_epoch_goes_on_after_a_resume(run_cli, monkeypatch, moment):
    tuned = (*recipe("TrainsUnfrozen"), *callback("tests.recipes.UnfreezesWithinEpochs"))
    same = (*tuned, STOP_AT, "--every_n_train_steps", "1")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    fitted(run_cli("fit", *same, "--name", "cut"))
    assert_same_end(folder("whole"), folder("cut"))


def test_an_optimizer_that_on_load_checkpoint_makes_larger_goes_on(run_cli):
    same = recipe("MakesAnew")
    fitted(run_cli("fit", *same, "--name", "whole", "--trainer.max_epochs", "3"))
    for epochs in ("2", "3"):
        fitted(run_cli("fit", *same, "--name", "cut", "--trainer.max_epochs", epochs))
    assert_same_end(folder("whole"), folder("cut"))


@pytest.mark.parametrize("fused", [True, False])
def test_what_a_hook_freezes_instead_is_refused_when_its_state_is_loaded(
    run_cli, monkeypatch, fused
):
    class Edited(recipes.FreezesInSetup):
        """Freezes another layer, of as many weights."""

        def setup(self, stage):
            self.net[4].requires_grad_(False)

    monkeypatch.setattr(torch.optim, "Adam", partial(torch.optim.Adam, fused=fused))
    same = recipe("FreezesInSetup")
    fitted(run_cli("fit", *same, "--trainer.max_epochs", "1"))
    monkeypatch.setattr(recipes.FreezesInSetup, "setup", Edited.setup)
    status, _, problems = run_cli("fit", *same, "--trainer.max_epochs", "2")
    assert (status, len(problems.splitlines())) == (2, 1)
    assert "of other weights: Adam's exp_avg" in problems


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        *(("Probe", "5"), ("UnfreezesByEpoch", "5"), ("Alternates", "14")),
        *(("AddsAgain", "14"), ("FreezesInSetup", "5")),
    ],
)
def test_an_optimizer_of_what_is_not_frozen_goes_on_once_that_has_changed(
    run_cli, monkeypatch, name, moment
):
    same = (*recipe(name), STOP_AT, "--every_n_train_steps", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, moment, "fit", *same, "--name", "cut")
    assert "instead" not in fitted(run_cli("fit", *same, "--name", "cut"))  # of best.ckpt
    assert_same_end(folder("whole"), folder("cut"))


def test_a_group_that_a_callback_adds_again_goes_on_after_a_resume(run_cli, monkeypatch):
    tuned = (*recipe("WithScale"), *callback("tests.recipes.AddsScale"))
    same = (*tuned, STOP_AT, "--every_n_train_steps", "3")
    fitted(run_cli("fit", *same, "--name", "whole"))
    stopped(run_cli, monkeypatch, "14", "fit", *same, "--name", "cut")
    assert "instead" not in fitted(run_cli("fit", *same, "--name", "cut"))  # of best.ckpt
    assert_same_end(folder("whole"), folder("cut"))


def test_a_checkpoint_saved_during_a_validation_has_the_modes_of_training():
    net = nn.Sequential(nn.Linear(1, 1), nn.Dropout())
    modes = {name: name != "1" for name, _ in net.named_modules()}
    loop = SimpleNamespace(val_loop=SimpleNamespace(_module_mode=SimpleNamespace(mode=modes)))
    trainer = fitting(validating=True, fit_loop=SimpleNamespace(epoch_loop=loop))
    frozen, checkpoint = Frozen(), {}
    frozen.after_start(fitting(), nn.Sequential(nn.Linear(1, 1), nn.Dropout()))
    frozen.on_save_checkpoint(trainer, net.eval(), checkpoint)
    assert checkpoint[entries.FROZEN]["evaluating"] == ["1"]
    now = nn.Sequential(nn.Linear(1, 1), nn.Dropout())
    resumed(now, checkpoint)
    assert [one.training for one in now.modules()] == [True, True, False]
