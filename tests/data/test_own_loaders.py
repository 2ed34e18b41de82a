"""Loaders that a trainer is given after a data module, which it keeps."""

import shutil

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import DenseModule


@pytest.fixture
def kept(small_data, tmp_path):
    """A trainer that has fitted a module on a data module whose test files do not exist."""
    folder = tmp_path / "KMNIST" / "raw"
    shutil.copytree(small_data / "KMNIST" / "raw", folder)
    for file in folder.glob("t10k*"):
        file.unlink()
    data = MNISTDataModule(str(tmp_path), "KMNIST", download=False)
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    saving = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
    trainer = Trainer(accelerator="cpu", max_epochs=2, callbacks=[saving], **quiet)
    trainer.fit(DenseModule(), data)
    return trainer, data


def loader(count):
    generator = torch.Generator().manual_seed(count)
    images = torch.rand(count, 28, 28, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(count) % 10), batch_size=32)


def by_hand(model, batches):
    """Probabilities, and the fraction of right ones."""
    model.eval()
    with torch.no_grad():
        known = [(model(images[:, None]).softmax(1), labels) for images, labels in batches]
    probabilities, labels = map(torch.cat, zip(*known, strict=True))
    return probabilities, float((probabilities.argmax(1) == labels).float().mean())


def test_each_command_takes_loaders_after_a_data_module(kept):
    trainer, _ = kept
    model, batches = trainer.lightning_module, loader(100)
    probabilities, accuracy = by_hand(model, batches)
    torch.testing.assert_close(torch.cat(trainer.predict(model, batches)), probabilities)
    for command, name in ((trainer.validate, "val_acc"), (trainer.test, "test_acc")):
        (scores,) = command(model, batches, verbose=False)
        assert scores[name] == pytest.approx(accuracy)
    trainer.fit_loop.max_epochs = 3
    before = trainer.global_step
    trainer.fit(model, batches)
    assert trainer.global_step - before == 4


def test_a_checkpoint_of_a_fit_on_loaders_has_not_the_data_module_s_fingerprint(kept, tmp_path):
    trainer, _ = kept
    trainer.fit_loop.max_epochs = 3
    trainer.fit(trainer.lightning_module, loader(40))
    saved = [torch.load(tmp_path / f"epoch={one}.ckpt", weights_only=True) for one in (0, 2)]
    assert [("MNISTDataModule" in one) for one in saved] == [True, False]
    assert saved[0]["MNISTDataModule"]["dataset"] == "KMNIST"


def test_a_checkpoint_of_other_data_may_be_scored_on_loaders(kept, small_data, tmp_path):
    trainer, _ = kept
    batches, path = loader(50), str(tmp_path / "epoch=0.ckpt")
    other = MNISTDataModule(str(small_data), "KMNIST", split_seed=7)
    trainer.validate(trainer.lightning_module, other, verbose=False)
    (scores,) = trainer.validate(
        trainer.lightning_module, batches, ckpt_path=path, weights_only=True, verbose=False
    )
    assert scores["val_acc"] == pytest.approx(by_hand(trainer.lightning_module, batches)[1])
    with pytest.raises(UserError, match="trained with split_sha256"):
        trainer.validate(
            trainer.lightning_module, other, ckpt_path=path, weights_only=True, verbose=False
        )


def test_a_data_module_is_used_again_after_loaders(kept):
    trainer, data = kept
    (before,) = trainer.validate(trainer.lightning_module, data, verbose=False)
    trainer.validate(trainer.lightning_module, loader(50), verbose=False)
    assert trainer.validate(trainer.lightning_module, data, verbose=False) == [before]
    data.setup("validate")  # by hand
    assert len(list(data.val_dataloader())) == 1
    with pytest.raises(UserError, match="t10k"):
        trainer.test(trainer.lightning_module, data)


def test_a_committee_on_loaders_needs_no_member_of_each_fold(kept, small_data, tmp_path):
    trainer, _ = kept
    model, batches = trainer.lightning_module, loader(50)
    trainer.validate(model, MNISTDataModule(str(small_data), "KMNIST", folds=2), verbose=False)
    committee = EnsembleModule([str(tmp_path / f"epoch={one}.ckpt") for one in (0, 1)])
    (scores,) = trainer.validate(committee, batches, verbose=False)
    members = [by_hand(member.module, batches)[0] for member in committee.members]
    right = torch.stack(members).mean(0).argmax(1) == batches.dataset.tensors[1]
    assert scores["val_acc"] == pytest.approx(float(right.float().mean()))


class Combined(MNISTDataModule):
    """Gives two loaders at once, as Lightning's documentation does: augmented images, and more."""

    def train_dataloader(self):
        batches = super().train_dataloader()
        return CombinedLoader({"ours": batches, "theirs": loader(900)}, "min_size")


class First(DenseModule):
    """Trains on the first of them."""

    def training_step(self, batch, batch_idx):
        images, labels = batch["theirs"]
        assert images.shape == (32, 28, 28)
        assert labels.shape == (32,)
        return super().training_step(batch["ours"], batch_idx)


def test_combined_loaders_train_as_one_does(small_data):
    weights = []
    for data, model in ((MNISTDataModule, DenseModule), (Combined, First)):
        seed_everything(1, verbose=False)
        quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_checkpointing"), False)
        trainer = Trainer(accelerator="cpu", max_epochs=2, **quiet)
        trainer.fit(model(), data(str(small_data), "KMNIST", batch_size=60, augment=True))
        weights.append(trainer.lightning_module.state_dict())
    assert trainer.global_step == 16  # full batches of 500 images
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("kind", [list, tuple])
def test_each_of_several_batches_is_prepared(small_data, kind):
    data = MNISTDataModule(str(small_data), "KMNIST", augment=True)
    data.setup("fit")
    batch = next(iter(data.train_dataloader()))
    alone = data.on_after_batch_transfer(batch, 0)
    both = data.on_after_batch_transfer(kind([batch, {"more": batch}, "text"]), 0)
    assert type(both) is kind
    assert both[2] == "text"
    for one in (both[0], both[1]["more"]):
        assert torch.equal(one.images, alone.images)
