import hashlib

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split

from lit_mnist.data.split import train_val_split


@pytest.mark.parametrize(("count", "seed"), [(60_000, 42), (60_000, 7), (601, 0)])
def test_split_is_scikit_learns(count, seed):
    train, val = train_test_split(np.arange(count), test_size=1 / 6, random_state=seed)
    ours = train_val_split(count, seed)
    np.testing.assert_array_equal(ours[0], train)
    np.testing.assert_array_equal(ours[1], val)


def test_split_is_the_notebooks():
    train, val = train_val_split(60_000, 42)
    assert val[:5].tolist() == [12628, 37730, 39991, 8525, 8279]
    assert train[:3].tolist() == [11210, 17024, 43389]
    digest = hashlib.sha256(torch.cat([val, train]).numpy().astype("<i8").tobytes()).hexdigest()
    assert digest == "f5a3b57ab9891bd94079690ff2951e2cf7f8773c601e091724e508c92ff9523e"
