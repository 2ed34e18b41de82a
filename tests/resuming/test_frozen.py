"""DDP is built anew for layers that are unfrozen; real ranks are in test_ddp."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.resuming.frozen import Frozen


def test_ddp_is_built_anew_while_the_gpu_does_nothing_else(monkeypatch):
    done, net = [], nn.Linear(1, 1)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: done.append("waited"))
    strategy = SimpleNamespace(
        model=DistributedDataParallel.__new__(DistributedDataParallel),
        root_device=torch.device("cuda:1"),
        configure_ddp=lambda: done.append("built"),
    )
    trainer, frozen = SimpleNamespace(strategy=strategy), Frozen()
    frozen.on_train_start(trainer, net)
    frozen.on_train_batch_start(trainer, net, None, 0)
    assert done == []
    net.bias.requires_grad_(False)
    frozen.on_train_batch_start(trainer, net, None, 0)
    assert done == ["waited", "built", "waited"]
    assert strategy.model is net


@pytest.mark.parametrize("freezes", [True, False])
def test_only_what_the_module_no_longer_freezes_by_itself_stays_free(freezes):
    trainer, checkpoint = SimpleNamespace(state=SimpleNamespace(fn=TrainerFn.FITTING)), {}
    before, now = (nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)) for _ in range(2))
    before[0].requires_grad_(False)
    frozen = Frozen()
    frozen.on_fit_start(trainer, before)
    before[1].requires_grad_(False)  # while it is trained
    frozen.on_save_checkpoint(trainer, before, checkpoint)
    now[0].requires_grad_(not freezes)
    Frozen().on_load_checkpoint(trainer, now, checkpoint)
    assert [layer.weight.requires_grad for layer in now] == [not freezes, False]
