"""A score belongs to the images that it was measured on: another number of them is not compared.

The validation set has 100 images.
"""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.data import MNISTDataModule
from lit_mnist.models import DenseModule
from lit_mnist.runs import checkpoints, entries
from lit_mnist.training import validated_images
from tests.conftest import SMALL
from tests.fitting import fitted
from tests.stopping import checkpoint, folder, results

HERE = "tests.training.test_validated_images"
TEN = ("--trainer.limit_val_batches", "1", "--data.eval_batch_size", "10")
OTHER = "best.ckpt was validated on 10 images, and this run validates on "
ALL = ("--trainer.limit_val_batches", "1.0")
EVERY_SECOND = ("--trainer.check_val_every_n_epoch", "2")  # no loader is made at the start


class Falls(DenseModule):
    """Its first epoch is validated best."""

    def validation_step(self, batch, batch_idx):
        self.log("val_acc", 1 - self.current_epoch / 10)


FALLS = ("--model", f"{HERE}.Falls", "--name", "falls")


def fit(run_cli, epochs, *options):
    return fitted(run_cli("fit", *FALLS, *options, "--trainer.max_epochs", str(epochs)))


def best(name="falls"):
    known = results(folder(name))
    return known["best_epoch"], known["best_val_acc"], known["best_val_images"]


def test_a_best_of_other_images_is_replaced_and_a_line_says_so(run_cli):
    assert OTHER not in fit(run_cli, 1, *TEN)
    assert best() == (0, 1.0, 10)
    output = fit(run_cli, 3, *TEN, "--data.eval_batch_size", "40")
    assert output.count(f"{OTHER}40: the next validated epoch replaces it\n") == 1
    assert best() == (1, 0.9, 40)
    assert checkpoint("best", folder("falls"))["epoch"] == 1


@pytest.mark.parametrize("every", [(), EVERY_SECOND])
def test_the_same_images_in_other_batches_are_compared(run_cli, every):
    fit(run_cli, 2, *ALL, "--data.eval_batch_size", "10", *every)
    output = fit(run_cli, 4, *ALL, "--data.eval_batch_size", "7", *every)
    assert "was validated on" not in output
    assert best() == ((1, 0.9, 100) if every else (0, 1.0, 100))


def test_a_loader_made_only_after_the_start_is_counted_too(run_cli):
    fit(run_cli, 2, *TEN, *EVERY_SECOND)
    assert f"{OTHER}20" in fit(run_cli, 4, *TEN, "--data.eval_batch_size", "20", *EVERY_SECOND)
    assert best() == (3, 0.7, 20)


def test_a_best_of_other_images_is_not_taken_over(run_cli):
    fit(run_cli, 2, *TEN)
    start = folder("falls") / "checkpoints" / "last.ckpt"
    before = start.with_name("best.ckpt").read_bytes()
    output = fit(run_cli, 3, "--ckpt_path", str(start), "--name", "real")
    assert f"{OTHER}100: it is not taken over as the best\n" in output
    assert best("real") == (2, 0.8, 100)
    assert start.with_name("best.ckpt").read_bytes() == before
    assert best() == (0, 1.0, 10)


def test_a_best_of_the_same_images_is_taken_over(run_cli):
    fit(run_cli, 1, *TEN)
    start = str(folder("falls") / "checkpoints" / "last.ckpt")
    output = fit(run_cli, 3, *TEN, "--ckpt_path", start, "--name", "real")
    assert "was validated on" not in output
    assert best("real") == (0, 1.0, 10)


def test_a_score_without_a_number_of_images_is_compared_as_before(run_cli):
    fit(run_cli, 1, *TEN)
    path = folder("falls") / "checkpoints" / "best.ckpt"
    old = checkpoints.read(path)
    del old["callbacks"][entries.BEST]["measured"]["images"]
    torch.save(old, path)
    assert OTHER not in fit(run_cli, 3, *TEN, "--data.eval_batch_size", "40")
    assert (results(folder("falls"))["best_epoch"]) == 0


def test_a_neighbour_of_other_images_is_not_the_best_before(run_cli):
    """As if the run had validated on more images since, and saved no best."""
    fit(run_cli, 1, *TEN)
    place = folder("falls") / "checkpoints"
    kept = (place / "best.ckpt").read_bytes()
    fit(run_cli, 2, *TEN, "--data.eval_batch_size", "40")
    (place / "best.ckpt").write_bytes(kept)
    now = (*TEN, "--data.eval_batch_size", "40", "--name", "real")
    fit(run_cli, 3, *now, "--ckpt_path", str(place / "last.ckpt"))
    assert best("real") == (1, 0.9, 40)


def test_what_still_counts_from_the_old_score_is_named(run_cli):
    early = ("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "val_acc")
    best = ("--trainer.callbacks+=ModelCheckpoint", "--trainer.callbacks.monitor", "val_acc")
    other = ("--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor", "train_loss")
    options = (*early, *best, *other, "--model.plateau", "true")
    named = "EarlyStopping and ModelCheckpoint and Plateau"
    fit(run_cli, 1, *TEN, *options)
    output = fit(run_cli, 2, *TEN, *options, "--data.eval_batch_size", "20")
    assert f"replaces it; only {named} still compare with its score\n" in output


class Loader(MNISTDataModule):
    """Validates by a loader of PyTorch's."""

    size = 30

    def val_dataloader(self):
        images = self.train_set.images[self.val_indices]
        return DataLoader(TensorDataset(images, self.train_set.labels[self.val_indices]), self.size)


class Streams(Loader):
    """Validates by a loader of another kind."""

    def val_dataloader(self):
        return [batch for _, batch in zip(range(2), super().val_dataloader(), strict=False)]


@pytest.mark.parametrize(
    ("kind", "limit", "images"),
    [
        (MNISTDataModule, 1.0, 100),
        (MNISTDataModule, 3, 90),
        (MNISTDataModule, 0.5, 60),
        (MNISTDataModule, 9, 100),
        (Loader, 1.0, 100),
        (Loader, 2, 60),
        (Streams, 1, 0),
    ],
)
def test_images_are_counted_by_the_loader(small_data, here, kind, limit, images):
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        max_steps=1, limit_val_batches=limit, num_sanity_val_steps=0, enable_model_summary=False,
    )  # fmt: skip
    assert validated_images.count(trainer) == 0
    data = kind(str(small_data), SMALL, eval_batch_size=30)
    trainer.fit(DenseModule(), data)
    assert validated_images.count(trainer) == images
    assert not Path("checkpoints").exists()
