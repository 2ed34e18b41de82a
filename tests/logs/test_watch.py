"""Training with batches that a module's hooks have changed: what cannot be shown is left out."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional as F

from tests.no_dropout import LinearModule

pytestmark = pytest.mark.pictures


class Scored(LinearModule):
    """Computes its loss and its accuracy from images and labels of any form."""

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch.images), batch.labels)

    def validation_step(self, batch, batch_idx):
        labels = batch.labels.argmax(1) if batch.labels.ndim == 2 else batch.labels % 10
        probabilities = self(batch.images).softmax(1)
        self.log("val_acc", (probabilities.argmax(1) == labels).float().mean())
        return probabilities


class Soft(Scored):
    """Gives each image a probability of every class."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch.replace(labels=0.9 * F.one_hot(batch.labels, 10) + 0.01)


class Shifted(Scored):
    """Counts classes from ten, except for a part of them."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch.replace(labels=batch.labels + 10 * (batch.labels > 4))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch.images), batch.labels % 10)


class Pairs(LinearModule):
    """Makes a tuple of each batch."""

    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch.images, batch.labels


class Named(Scored):
    """Makes a dict of each batch."""

    def on_before_batch_transfer(self, batch, dataloader_idx):
        return {"images": batch.images[:, None] / 255, "labels": batch.labels}

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch["images"]), batch["labels"])

    def validation_step(self, batch, batch_idx):
        probabilities = self(batch["images"]).softmax(1)
        self.log("val_acc", (probabilities.argmax(1) == batch["labels"]).float().mean())
        return probabilities


class Taken(Scored):
    """Takes its batches from the loader by itself."""

    def training_step(self, dataloader_iter):
        batch, _, _ = next(dataloader_iter)
        return F.cross_entropy(self(batch.images.float()[:, None] / 255), batch.labels)


class Short(Scored):
    """Its labels are of other whole numbers than int64."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch.replace(labels=batch.labels.to(torch.uint8))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self(batch.images), batch.labels.long())


def pictures():
    run = Path("tb_logs/dense/seed_42")
    tags = (
        EventAccumulator(str(run / part)).Reload().Tags()["images"] for part in ("train", "val")
    )
    return sorted(tag for part in tags for tag in part)


ALL = ["by_epoch_best/confusion", "by_epoch_best/worst", "first_batch"]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(Soft, []), (Shifted, []), (Pairs, []), (Named, []), (Taken, ALL[:2]), (Short, ALL)],
)
def test_batches_of_any_form_are_trained_on_and_shown_if_they_can_be(run_cli, kind, shown):
    options = ("--model", f"{__name__}.{kind.__name__}", "--trainer.max_epochs", "1")
    status, _, problems = run_cli("fit", *options)
    assert status == 0, problems
    assert pictures() == shown
