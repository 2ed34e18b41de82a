"""A network that reads drawn digits, trained in seconds: on scikit-learn's own handwriting."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.idx import write_idx
from lit_mnist.main import main
from lit_mnist.pictures.form import mnist_form
from tests import blank
from tests.conftest import CONFIGS

DATASET = "QMNIST"  # digits, and not pinned by hashes as MNIST's are


def place(data_dir):
    """Writes 1,797 handwritten digits, enlarged from 8x8; the last 297 are for testing."""
    small, labels = load_digits(return_X_y=True)
    images = [mnist_form((image / 16).astype(np.float32)) for image in small.reshape(-1, 8, 8)]
    spec = DATASETS[DATASET]
    spec.folder(data_dir).mkdir(parents=True)
    for split, part in {"train": slice(1500), "test": slice(1500, None)}.items():
        for name, values in zip(spec.files[split], (np.array(images), labels), strict=True):
            tensor = torch.from_numpy(values[part].astype(np.uint8))
            write_idx(spec.folder(data_dir) / name, tensor)


def train(folder):
    """Fits a run in `folder`."""
    place(folder / "data")
    options = ["--config", f"{CONFIGS}/simple_plateau.yaml", "--trainer.max_epochs", "4"]
    options += ["--data.dataset", DATASET, "--data.data_dir", str(folder / "data")]
    options += ["--data.batch_size", "30", "--model.lr", "0.002", "--trainer.accelerator", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        blank.pictures(patch.setattr)
        patch.chdir(folder)
        assert main(["fit", *options]) == 0
