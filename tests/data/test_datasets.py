"""The table of datasets against torchvision's own."""

from typing import get_args

import pytest
from torchvision import datasets

from lit_mnist.data.datasets import DATASETS, DIGITS, Dataset, class_names


def test_option_and_table_name_the_same_datasets():
    assert set(get_args(Dataset)) == set(DATASETS)


def test_class_names_equal_those_of_torchvision():
    assert DIGITS == ("MNIST", "EMNIST", "QMNIST")
    assert class_names("MNIST") is None
    for name in ("FashionMNIST", "KMNIST"):
        assert class_names(name) == getattr(datasets, name).classes


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_files_are_where_torchvision_expects_them(name, tmp_path):
    spec = DATASETS[name]
    raw = spec.folder(tmp_path)
    raw.mkdir(parents=True)
    for file in spec.all_files:
        (raw / file).touch()
    dataset = getattr(datasets, name).__new__(getattr(datasets, name))
    dataset.root = str(tmp_path)
    assert dataset._check_exists()
    (raw / spec.all_files[0]).unlink()
    assert not dataset._check_exists()
