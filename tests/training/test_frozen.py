"""DDP is built anew for layers that are unfrozen; real ranks are in test_ddp."""

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.training.frozen import Frozen


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
