"""Two real ranks on gloo whose batch norms have statistics of their own."""

import copy
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lit_mnist.errors import UserError
from lit_mnist.resuming.across_resumes import keepers
from lit_mnist.resuming.rank_buffers import RankBuffers
from lit_mnist.runs import entries
from tests import warm

RANKS = 2


def trainer_of(model, rank, ranks=RANKS):
    strategy, state = SimpleNamespace(model=model), SimpleNamespace(fn=TrainerFn.FITTING)
    return SimpleNamespace(
        strategy=strategy, state=state, global_rank=rank, world_size=ranks, ckpt_path="x.ckpt"
    )


def batch(model, images, by_hand):
    """A batch as Lightning calls DDP; as the module steps by itself, it copies no buffers then."""
    model.require_backward_grad_sync = not by_hand
    model(images).sum().backward()
    model.require_backward_grad_sync = True
    return {name: one.clone() for name, one in model.module.named_buffers()}


def resumes(folder, rank, by_hand):
    """Saves what a rank has after another two batches: at once, and in a resumed run."""
    store = distributed.FileStore(str(folder / "store"), RANKS)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=RANKS)
    images = torch.randn(4, 20, 5, generator=torch.Generator().manual_seed(rank))
    net = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 2))
    net.register_buffer("apart", torch.tensor(float(rank)), persistent=False)
    net[1].register_buffer("shared", torch.ones(3))
    model, keeper = DistributedDataParallel(net), RankBuffers()
    for one in images[:2]:
        batch(model, one, by_hand)
    checkpoint = {"state_dict": copy.deepcopy(net.state_dict())}
    keeper.on_save_checkpoint(trainer_of(model, rank), net, checkpoint)
    whole = [batch(model, one, by_hand) for one in images[2:]]

    net.load_state_dict(checkpoint["state_dict"])  # of another rank, unless this is the first
    model = DistributedDataParallel(net)
    keeper.on_load_checkpoint(trainer_of(model, rank), net, checkpoint)
    keeper.after_start(trainer_of(model, rank), net)
    again = [batch(model, one, by_hand) for one in images[2:]]
    torch.save((checkpoint.get(entries.BUFFERS), whole, again), folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture
def of_ranks(tmp_path):
    def call(by_hand):
        given = [(tmp_path, rank, by_hand) for rank in range(RANKS)]
        processes = [warm.SERVER.Process(target=resumes, args=args) for args in given]
        for one in processes:
            one.start()
        for one in processes:
            one.join(60)
            assert one.exitcode == 0
        return [torch.load(tmp_path / f"{rank}.pt") for rank in range(RANKS)]

    return call


def same(some, others):
    return all(
        torch.equal(one[key], other[key])
        for one, other in zip(some, others, strict=True)
        for key in one
    )


def test_buffers_of_each_rank_resume_bit_identically(of_ranks):
    (saved, first, first_again), (_, second, second_again) = of_ranks(by_hand=True)
    assert [list(one) for one in saved] == [[], ["0.running_mean", "0.running_var"]]
    assert not same(first, second)
    assert same(first, first_again)
    assert same(second, second_again)


def test_nothing_is_saved_where_ddp_copies_the_first_rank_s(of_ranks):
    for saved, whole, again in of_ranks(by_hand=False):
        assert saved is None
        assert same(whole, again)


def test_another_number_of_ranks_goes_on_with_the_first_s():
    net, keeper = nn.BatchNorm1d(2), RankBuffers()
    saved = [{}, {"running_mean": torch.ones(2)}]
    keeper.on_load_checkpoint(trainer_of(net, 0, 1), net, {entries.BUFFERS: saved})
    keeper.after_start(trainer_of(net, 0, 1), net)
    assert net.running_mean.tolist() == [0, 0]


@pytest.mark.parametrize(
    "damaged",
    [
        "x",
        ["x"],
        [{"other": torch.ones(2)}],
        [{"running_mean": torch.ones(3)}],
        [{"running_mean": 1}],
    ],
)
def test_damaged_buffers_are_refused(damaged):
    net = nn.BatchNorm1d(2)
    with pytest.raises(UserError, match=r"x\.ckpt: damaged, its buffers do not fit the model"):
        RankBuffers().on_load_checkpoint(trainer_of(net, 0), net, {entries.BUFFERS: damaged})


def test_a_run_keeps_them():
    assert any(isinstance(one, RankBuffers) for one in keepers())
