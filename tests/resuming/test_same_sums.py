"""Three real ranks on gloo: a gradient does not depend on which step of the process it is."""

from types import SimpleNamespace

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.resuming.across_resumes import keepers
from lit_mnist.resuming.frozen import Frozen
from lit_mnist.resuming.same_sums import SameSums
from tests import warm

RANKS = 3


def on_ranks(function, folder, *given):
    """Calls a function on each rank, in a process of its own."""
    processes = [
        warm.SERVER.Process(target=function, args=(folder, rank, *given)) for rank in range(RANKS)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join(60)
        assert one.exitcode == 0


class Turned(nn.Module):
    """Has a complex weight."""

    def __init__(self):
        super().__init__()
        self.turn = nn.Parameter(torch.randn(31, 31, dtype=torch.cfloat))

    def forward(self, values):
        return (values.to(torch.cfloat) @ self.turn).abs()


def gradients(folder, rank, summed_alike):
    """Computes a batch's gradients twice: DDP packs them anew in between."""
    store = distributed.FileStore(str(folder / "store"), RANKS)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=RANKS)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(50, 31), Turned(), nn.Linear(31, 10))
    model, images = DistributedDataParallel(net), torch.randn(RANKS, 20, 50)
    weights = list(net.parameters())
    means = [torch.autograd.grad(net(one).square().mean(), weights) for one in images]
    found = [[sum(parts) / RANKS for parts in zip(*means, strict=True)]]
    trainer = SimpleNamespace(world_size=RANKS, strategy=SimpleNamespace(model=model))
    for _ in range(2):
        if summed_alike:
            SameSums().on_train_batch_start(trainer, None, None, 0)
        model.zero_grad()
        model(images[rank]).square().mean().backward()
        found.append([one.grad.clone() for one in weights])
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.parametrize("summed_alike", [False, True])
def test_ranks_sum_alike_before_and_after_ddp_packs_gradients_anew(tmp_path, summed_alike):
    on_ranks(gradients, tmp_path, summed_alike)
    for rank in range(RANKS):
        expected, first, second = torch.load(tmp_path / f"{rank}.pt")
        same = [torch.equal(*both) for both in zip(first, second, strict=True)]
        assert all(same) is summed_alike
        torch.testing.assert_close(first, expected)
        torch.testing.assert_close(second, expected)


def sparse_gradient(folder, rank):
    """Computes a sparse gradient, and its mean over the ranks' images without DDP."""
    store = distributed.FileStore(str(folder / "store"), RANKS)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=RANKS)
    torch.manual_seed(0)
    net, words = nn.EmbeddingBag(17, 10, sparse=True, mode="sum"), torch.randint(17, (RANKS, 4, 6))
    model = DistributedDataParallel(net)
    trainer = SimpleNamespace(world_size=RANKS, strategy=SimpleNamespace(model=model))
    SameSums().on_train_batch_start(trainer, None, None, 0)
    loss = sum(net(one).square().mean() for one in words) / RANKS
    (expected,) = torch.autograd.grad(loss, [net.weight])
    model(words[rank]).square().mean().backward()
    torch.testing.assert_close(net.weight.grad.to_dense(), expected.to_dense())
    distributed.destroy_process_group()


def test_gradients_of_a_sparse_layer_are_left_to_ddp(tmp_path):
    on_ranks(sparse_gradient, tmp_path)


def test_each_run_sums_so_and_again_once_ddp_is_built_anew():
    kinds = [type(one) for one in keepers()]
    assert kinds.index(Frozen) < kinds.index(SameSums)
