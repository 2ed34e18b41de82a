"""Batches: order, randomness, and the share of each rank."""

import itertools

import pytest
import torch
from lightning.fabric.utilities.apply_func import move_data_to_device
from lightning.pytorch.utilities.data import extract_batch_size
from lightning_utilities.core.apply_func import apply_to_collection

from lit_mnist.data.batches import Batch, TrainBatches, Turn, derive_seeds, seed_generators
from lit_mnist.data.eval_batches import EvalBatches

COUNT = 50
IMAGES = torch.arange(100, dtype=torch.uint8).view(100, 1, 1).expand(100, 28, 28)
LABELS = torch.arange(100)
INDICES = torch.arange(100).flip(0)[:COUNT]


def train(epoch=0, seed=1, batch_size=8, drop_last=False, kept=True, **place):
    return TrainBatches(
        IMAGES,
        LABELS,
        INDICES,
        batch_size=batch_size,
        drop_last=drop_last,
        seed=seed,
        turn=lambda _: Turn(epoch, kept),
        **place,
    )


def order(batches):
    return torch.cat([batch.indices for batch in batches]).tolist()


def test_an_epoch_has_each_image_once_with_its_own_label():
    batches = list(train())
    assert [len(batch.labels) for batch in batches] == [8] * 6 + [2]
    assert len(train()) == 7
    assert sorted(order(batches)) == sorted(INDICES.tolist())
    for batch in batches:
        assert torch.equal(batch.labels, batch.indices)
        assert torch.equal(batch.images[:, 5, 5].long(), batch.indices)


def test_drop_last_leaves_out_the_smaller_batch():
    assert [len(batch.labels) for batch in train(drop_last=True)] == [8] * 6
    assert len(train(drop_last=True)) == 6


def test_order_depends_only_on_seed_and_epoch():
    torch.manual_seed(0)
    first = order(train(epoch=3))
    torch.manual_seed(99)
    assert order(train(epoch=3)) == first
    assert order(train(epoch=4)) != first
    assert order(train(epoch=3, seed=2)) != first


def test_step_seeds_differ_between_steps_epochs_ranks_and_runs():
    seeds = [
        batch.seed
        for seed in (1, 2)
        for epoch in (0, 1)
        for rank in (0, 1)
        for batch in train(epoch, seed, rank=rank, world_size=2)
    ]
    assert len(set(seeds)) == len(seeds) == 2 * 2 * 2 * 7
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_each_step_of_the_single_process(world_size):
    parts = [list(train(rank=rank, world_size=world_size)) for rank in range(world_size)]
    for step, whole in enumerate(train()):
        together = sorted(i for part in parts for i in part[step].indices.tolist())
        assert together == sorted(whole.indices.tolist())
        assert all(part[step].loss_divisor == len(whole.labels) / world_size for part in parts)


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_evaluation_sees_each_image_once_on_any_number_of_ranks(world_size):
    ranks = [
        EvalBatches(IMAGES, LABELS, INDICES, batch_size=8, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert sorted(i for rank in ranks for i in order(rank)) == sorted(INDICES.tolist())
    assert all(batch.seed is None for rank in ranks for batch in rank)
    assert [len(list(rank)) for rank in ranks] == [len(rank) for rank in ranks]


def test_all_ranks_have_equally_many_batches():
    for count in (2, 48, 49, 50):  # 17 images on one rank are three batches, 16 on another two
        ranks = [
            EvalBatches(IMAGES, LABELS, INDICES[:count], batch_size=8, rank=rank, world_size=3)
            for rank in range(3)
        ]
        assert len({len(list(rank)) for rank in ranks}) == 1
        assert sorted(i for rank in ranks for i in order(rank)) == sorted(INDICES[:count].tolist())
        assert all(len(batch.labels) <= 8 for rank in ranks for batch in rank)


@pytest.mark.parametrize("count", [1, 2, 48, 49, 50])
@pytest.mark.parametrize("world_size", [1, 3])
def test_images_within_some_batches_of_all_ranks_are_counted(count, world_size):
    ranks = [
        EvalBatches(IMAGES, LABELS, INDICES[:count], batch_size=8, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    for batches in range(len(ranks[0]) + 2):
        seen = sum(len(batch.labels) for rank in ranks for batch in [*rank][:batches])
        assert [rank.images_within(batches) for rank in ranks] == [seen] * world_size


def test_derived_seeds_are_frozen():
    # Another value here means that every run ever made can no longer be resumed exactly
    assert derive_seeds(42, 0) == [8069173719269958482]
    assert derive_seeds(42, 1, 3, count=3)[2] == 7062577575654194055


def test_a_longer_list_of_seeds_begins_with_the_shorter():
    assert derive_seeds(7, 1, count=600)[:5] == derive_seeds(7, 1, count=5)


@pytest.mark.parametrize("rank", [0, 1])
def test_resumes_within_an_epoch_at_the_saved_position(rank):
    place = {"rank": rank, "world_size": 2}
    whole = list(train(epoch=3, **place))
    first = train(epoch=3, **place)
    taken = list(itertools.islice(first, 4))
    second = train(epoch=3, **place)
    second.load_state_dict(first.state_dict())
    both = taken + list(second)
    assert [batch.seed for batch in both] == [batch.seed for batch in whole]
    assert order(both) == order(whole)


def test_a_state_of_another_epoch_starts_at_its_beginning():
    batches = train(epoch=4)
    batches.load_state_dict({"epoch": 3, "step": 5})
    assert len(list(batches)) == len(batches)


def test_a_loaded_state_is_used_once():
    batches = train(epoch=3)
    batches.load_state_dict({"epoch": 3, "step": 5})
    assert [len(list(batches)) for _ in range(3)] == [2, 7, 7]


def test_an_untracked_pass_leaves_the_state_unchanged():
    batches = train(epoch=3, kept=False)
    batches.load_state_dict({"epoch": 3, "step": 5})
    assert len(list(batches)) == 7
    assert batches.state_dict() == {"epoch": 3, "step": 5}


def test_without_reshuffling_epochs_share_the_order_but_not_the_seeds():
    first, later = train(reshuffle=False), train(epoch=4, reshuffle=False)
    assert order(later) == order(first) == order(train())
    assert [batch.seed for batch in later] == [batch.seed for batch in train(epoch=4)]


def test_a_batch_is_moved_as_a_whole_if_needed():
    batch = Batch(torch.zeros(2, 28, 28), torch.zeros(2), torch.arange(2), loss_divisor=2, seed=7)
    assert move_data_to_device(batch, torch.device("cpu")) is batch
    moved = move_data_to_device(batch, torch.device("meta"))
    tensors = moved.images, moved.labels, moved.indices
    assert [part.device.type for part in tensors] == ["meta"] * 3
    assert (moved.loss_divisor, moved.seed) == (2, 7)


def test_a_batch_unpacks_to_images_and_labels():
    batch = Batch(torch.zeros(3, 28, 28), torch.ones(3), torch.arange(3), loss_divisor=3, seed=7)
    images, labels = batch
    assert (images, labels) == (batch.images, batch.labels) == (batch[0], batch[1])
    assert extract_batch_size(batch) == 3  # by which Lightning weights what a module logs
    for other in (batch._replace(seed=8), batch.replace(seed=8)):
        assert (other.images is batch.images, other.seed, batch.seed) == (True, 8, 7)


def test_a_batch_equals_itself_alone():
    """On Python 3.13, fields of two data classes are compared one by one, which tensors refuse."""
    batch = Batch(torch.zeros(3, 28, 28), torch.ones(3), torch.arange(3), loss_divisor=3)
    assert batch == batch
    assert batch != batch.replace(images=torch.zeros(3, 28, 28))
    assert len({batch, batch}) == 1


def test_lightning_finds_the_tensors_of_a_batch():
    """As it does for the 16-bit precisions."""
    batch = Batch(torch.zeros(2, 28, 28), torch.ones(2), torch.arange(2), loss_divisor=2, seed=7)
    halved = apply_to_collection(batch, torch.Tensor, torch.Tensor.half)
    assert (halved.images.dtype, halved.seed, batch.images.dtype) == (torch.half, 7, torch.float)


def test_each_step_seeds_the_cpu_and_the_device(monkeypatch):
    gpus = [torch.Generator(), torch.Generator()]
    monkeypatch.setattr(torch.cuda, "default_generators", gpus)
    drawn = []
    for device in ("cpu", "cuda:1"):
        seed_generators(7, torch.device(device))
        drawn.append(torch.rand(3))  # as a user's net may do, wherever it trains
    assert torch.equal(*drawn)
    assert gpus[1].initial_seed() == 7 != gpus[0].initial_seed()
