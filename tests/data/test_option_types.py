"""Options that are given in Python, which the command line's parser does not see."""

import numpy as np
import pytest

from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError

REFUSED = [
    ({"folds": 5, "fold": -1}, "--data.fold -1: take 0 or more, a whole number"),
    ({"folds": 5, "fold": True}, "--data.fold True: take 0 or more"),
    ({"folds": 5, "fold": 1.5}, "--data.fold 1.5: take 0 or more"),
    ({"folds": 1, "fold": 0}, "--data.folds 1: take 2 or more"),
    ({"folds": -2, "fold": 0}, "--data.folds -2: take 2 or more"),
    ({"folds": True}, "--data.folds True: take 2 or more"),
    ({"split_seed": -1}, "--data.split_seed -1: take 0 to 4294967295"),
    ({"split_seed": 0.5}, "--data.split_seed 0.5: take 0 to 4294967295"),
    ({"split_seed": None}, "--data.split_seed None: take 0 to 4294967295"),
    ({"seed": -1}, "--data.seed -1: take 0 to 4294967295"),
    ({"seed": 2**32}, "--data.seed 4294967296: take 0 to 4294967295"),
    ({"batch_size": 2.5}, "--data.batch_size 2.5: take 1 or more"),
    ({"batch_size": None}, "--data.batch_size None: take 1 or more"),
    ({"batch_size": np.float32(2.5)}, r"--data.batch_size np.float32\(2.5\): take 1 or more"),
    ({"batch_size": np.float32("inf")}, "batch_size np.float32.inf.: take 1 or more"),
    ({"eval_batch_size": "7"}, "--data.eval_batch_size '7': take 1 or more"),
    ({"augment": True, "shear": -1.0}, "--data.shear -1.0: take 0 or more$"),
    ({"augment": True, "elastic": float("nan")}, "--data.elastic nan: take 0 or more$"),
    ({"augment": True, "interpolation": "bicubic"}, "'bicubic': take bilinear or nearest"),
    ({"layout": "singel"}, "--data.layout 'singel': take single or auto"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_values_that_the_command_line_refuses_are_refused_in_python(options, message):
    with pytest.raises(UserError, match=message):
        MNISTDataModule(**options)


def test_whole_numbers_of_other_types_are_plain_ones():
    data = MNISTDataModule(
        batch_size=np.int64(64), folds=np.int32(4), fold=1.0, split_seed=np.uint8(7), seed=3.0
    )
    found = [data.batch_size, data.partition.folds, data.partition.fold, data.partition.seed]
    assert [*found, data.seed] == [64, 4, 1, 7, 3]
    assert {type(value) for value in [*found, data.seed]} == {int}
