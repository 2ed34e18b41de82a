"""Whether a subclass of the data module changes the images of an evaluation is told."""

import json
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

import lit_mnist
from lit_mnist.data import MNISTDataModule
from lit_mnist.data.fingerprint import check_same
from lit_mnist.data.shown_pixels import pixels
from lit_mnist.errors import UserError
from lit_mnist.models import DenseModule

CPU = torch.device("cpu")


class Normalised(MNISTDataModule):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        batch = super().on_after_batch_transfer(batch, dataloader_idx)
        return batch.replace(images=(batch.images - 0.13) / 0.31)


class Negative(MNISTDataModule):
    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch.replace(images=255 - batch.images)


class NoisyTraining(MNISTDataModule):
    """Changes the images of training only, as this data module and as Lightning tell it."""

    def on_before_batch_transfer(self, batch, dataloader_idx):
        torch.rand(3)
        return batch.replace(images=255 - batch.images) if self.trainer.training else batch

    def on_after_batch_transfer(self, batch, dataloader_idx):
        batch = super().on_after_batch_transfer(batch, dataloader_idx)
        noise = 0 if batch.seed is None else torch.randn_like(batch.images)
        return batch.replace(images=batch.images + noise)


class OfItsOwnKind(MNISTDataModule):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch["images"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (MNISTDataModule, "0 to 1"),
        (NoisyTraining, "0 to 1"),
        (Normalised, "as Normalised.on_after_batch_transfer changes them"),
        (Negative, "as Negative.on_before_batch_transfer changes them"),
        (OfItsOwnKind, None),
    ],
)
def test_the_fingerprint_tells_what_evaluation_shows(kind, expected):
    data = kind("nowhere", augment=True)
    data.trainer = trainer = SimpleNamespace(training=True)  # while a checkpoint is saved
    before = torch.get_rng_state()
    assert pixels(data, CPU) == (expected or "")
    assert data.fingerprint().get("pixels") == expected
    assert torch.equal(torch.get_rng_state(), before)
    assert data.trainer is trainer


def test_networks_of_other_images_are_not_evaluated_on_plain_ones():
    own, plain = (kind("nowhere").fingerprint() for kind in (Normalised, MNISTDataModule))
    with pytest.raises(UserError, match=r"pixels as Normalised\.on_after.*, this run has 0 to 1"):
        check_same(plain, own)
    check_same(own, own)
    check_same(own, plain)  # earlier versions called all images so


@pytest.fixture
def trained_in_python(small_data, here, run_cli):
    """Two runs' folders, whose best.ckpt Lightning's own Trainer has written."""
    paths = []
    for seed in (42, 43):
        seed_everything(seed, verbose=False)
        folder = here / f"tb_logs/dense/seed_{seed}"
        best = ModelCheckpoint(folder / "checkpoints", filename="best")
        quiet = dict.fromkeys(("logger", "enable_model_summary", "enable_progress_bar"), False)
        trainer = Trainer(max_epochs=1, accelerator="cpu", callbacks=[best], **quiet)
        model, data = DenseModule(), Normalised(small_data, "KMNIST", batch_size=60)
        trainer.fit(model, data)
        trainer.validate(model, data, ckpt_path="best", verbose=False, weights_only=True)
        paths.append(best.best_model_path)
    return paths


def test_their_networks_are_neither_loaded_nor_tested_on_plain_images(trained_in_python, run_cli):
    with pytest.raises(UserError, match=r"best\.ckpt: trained on images as Normalised\.on_after"):
        lit_mnist.load("tb_logs/dense/seed_42")
    committee = ("--model.checkpoints", json.dumps(trained_in_python), "--name", "both")
    for config, options in (("dense", ()), ("ensemble", committee)):
        status, output, problems = run_cli("test", *options, config=config)
        assert (status, output) == (2, "")
        assert "as Normalised.on_after_batch_transfer changes them" in problems
