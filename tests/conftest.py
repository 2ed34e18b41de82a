"""A small learnable dataset on disk, and the program as a function."""

import os

import numpy as np
import pytest
import torch

from lit_mnist.family import FAMILY
from lit_mnist.idx import write_idx
from lit_mnist.main import main

# One thread, here and in the processes that tests start: these sets are too small for more, and
# threads of several processes that wait for each other make a loaded machine crawl
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# KMNIST, because MNIST's own files are pinned by their hashes
SMALL = "KMNIST"
TRAIN, TEST = 600, 101


def digits(count, seed):
    """Noisy images whose bright column tells the label: any of the nets learns them at once."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count, dtype=np.uint8)
    images = generator.integers(0, 120, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4:24, 4 + 2 * label : 6 + 2 * label] = 255
    return torch.from_numpy(images), torch.from_numpy(labels)


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A data_dir that holds 600 training and 101 test images, of which 100 go to validation."""
    data_dir = tmp_path_factory.mktemp("data")
    family = FAMILY[SMALL]
    family.folder(data_dir).mkdir(parents=True)
    for seed, (part, count) in enumerate({"train": TRAIN, "test": TEST}.items()):
        for name, values in zip(family.files[part], digits(count, seed), strict=True):
            write_idx(family.folder(data_dir) / name, values)
    return data_dir


@pytest.fixture
def no_index(monkeypatch):
    """No package index that pip could reach."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_cli(small_data, here, capsys):
    """Runs a command on the small set; gives (exit status, standard output, standard error)."""

    def call(command, *options, config="dense"):
        defaults = [
            *("--config", f"{CONFIGS}/{config}.yaml", "--trainer.max_epochs", "2"),
            *("--data.dataset", SMALL, "--data.data_dir", str(small_data)),
            *("--data.batch_size", "60", "--trainer.accelerator", "cpu"),
        ]
        status = main([command, *defaults, *options])
        return status, *capsys.readouterr()

    return call


CONFIGS = os.path.join(os.path.dirname(__file__), "..", "configs")


@pytest.fixture(scope="session")
def trained_runs(small_data, tmp_path_factory):
    """A folder of runs with one in it, simple_plateau, of two epochs; for tests that damage it."""
    folder = tmp_path_factory.mktemp("trained") / "tb_logs"
    options = ["--config", f"{CONFIGS}/simple_plateau.yaml", "--trainer.max_epochs", "2"]
    options += ["--data.dataset", SMALL, "--data.data_dir", str(small_data)]
    options += ["--data.batch_size", "60", "--trainer.accelerator", "cpu"]
    assert main(["fit", *options, "--log_dir", str(folder)]) == 0
    return folder
