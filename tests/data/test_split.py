import hashlib

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split

from lit_mnist.data.split import Partition, check_fold, split_sha256, train_val_split
from lit_mnist.errors import UserError


@pytest.mark.parametrize(("count", "seed"), [(60_000, 42), (60_000, 7), (601, 0)])
def test_the_split_equals_that_of_scikit_learn(count, seed):
    train, val = train_test_split(np.arange(count), test_size=1 / 6, random_state=seed)
    ours = train_val_split(count, seed)
    np.testing.assert_array_equal(ours[0], train)
    np.testing.assert_array_equal(ours[1], val)


def test_the_split_equals_the_notebook_s():
    train, val = train_val_split(60_000, 42)
    assert val[:5].tolist() == [12628, 37730, 39991, 8525, 8279]
    assert train[:3].tolist() == [11210, 17024, 43389]
    digest = hashlib.sha256(torch.cat([val, train]).numpy().astype("<i8").tobytes()).hexdigest()
    assert digest == "f5a3b57ab9891bd94079690ff2951e2cf7f8773c601e091724e508c92ff9523e"


@pytest.mark.parametrize(("count", "folds"), [(60_000, 5), (60_000, 7), (601, 4), (9, 9)])
def test_each_image_is_held_out_in_exactly_one_fold(count, folds):
    parts = [Partition(3, folds, fold).split(count) for fold in range(folds)]
    held_out = torch.cat([val for _, val in parts])
    assert sorted(held_out.tolist()) == list(range(count))
    sizes = [len(val) for _, val in parts]
    assert max(sizes) - min(sizes) <= 1
    numbers = Partition(3, folds).fold_of_each(count)
    for fold, (train, val) in enumerate(parts):
        assert sorted([*train.tolist(), *val.tolist()]) == list(range(count))
        assert numbers[val].unique().tolist() == [fold]
    train, val = Partition(3, folds).split(count)  # of a committee that has them all
    assert torch.equal(val, held_out)
    assert not len(train)


HASHES = {
    (5, 0): "2bc1fe0865d4920487cb5b56526388f86200f68aaf1838c610b26da87cab07ba",
    (5, 2): "99da4e19186c3aca7b569dd153fa37f64e935211f907e26dd68f48c22d5cf037",
    (6, 0): "f5a3b57ab9891bd94079690ff2951e2cf7f8773c601e091724e508c92ff9523e",
    (6, 5): "b0ba75b2a23b32c759a84a74dc042701a1149f4335c4cb2c281d6166abe79e50",
}


@pytest.mark.parametrize(("folds", "fold"), HASHES)
def test_folds_are_pinned(folds, fold):
    train, val = Partition(42, folds, fold).split(60_000)
    assert split_sha256(train, val) == HASHES[folds, fold]
    parts = np.array_split(np.random.RandomState(42).permutation(60_000), folds)
    np.testing.assert_array_equal(val, parts.pop(fold))
    np.testing.assert_array_equal(train, np.concatenate(parts))


def test_the_first_of_six_folds_equals_the_notebook_s_split():
    for own, notebooks in zip(
        Partition(42, 6, 0).split(600), train_val_split(600, 42), strict=True
    ):
        assert torch.equal(own, notebooks)


REFUSED = {
    "no such fold": ((5, 5), "--data.fold 5: is not one of 5; take 0 to 4"),
    "none at all": ((5, -1), "--data.fold -1: is not one of 5; take 0 to 4"),
    "of how many": ((None, 1), "--data.fold 1: needs --data.folds"),
    "which one": ((5, None), "--data.folds 5: add --data.fold 0 to 4"),
}


@pytest.mark.parametrize(("part", "message"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_fold_is_refused(part, message):
    with pytest.raises(UserError, match=message):
        check_fold(*part, needed=True)


def test_more_folds_than_images_are_refused():
    with pytest.raises(UserError, match=r"--data\.folds 10: is more than the 9 training images"):
        Partition(0, 10, 1).split(9)


def test_fewer_images_than_a_sixth_needs_are_refused_in_plain_words():
    with pytest.raises(UserError, match=r"^5 training images: a sixth of them validates"):
        Partition(42).split(5)
    assert [len(part) for part in Partition(42).split(6)] == [5, 1]
    assert [len(part) for part in Partition(42, 2, 0).split(4)] == [2, 2]
