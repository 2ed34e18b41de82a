"""The loss that is logged for a `training_step` that does not score its batch."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from lit_mnist.data import MNISTDataModule
from lit_mnist.data.batches import Batch
from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule
from lit_mnist.models.train_log import TrainLog
from tests.fitting import column, fitted, rows
from tests.models.test_modules import quiet_trainer
from tests.no_dropout import LinearModule


def test_a_rank_that_has_no_image_of_a_batch_adds_no_loss():
    module, log = DenseModule(), TrainLog()
    trainer = SimpleNamespace(accumulate_grad_batches=1, optimizers=[])
    for images, loss in ((3, 0.5), (0, torch.nan), (1, 0.1)):
        labels = torch.zeros(images, dtype=torch.int64)
        batch = Batch(torch.zeros(images, 1, 28, 28), labels, labels, 2.0)
        log.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, batch, 0)
    assert module.train_scores.compute().loss == pytest.approx((3 * 0.5 + 0.1) / 4)


class OwnBatches(LightningDataModule):
    """Batches of a class of its own; with `known`, all but the first are plain pairs."""

    def __init__(self, known=False):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        images, labels = torch.rand(60, 28, 28, generator=generator), torch.arange(60) % 10
        pairs = list(zip(images.split(20), labels.split(20), strict=True))
        odd = [SimpleNamespace(images=images, labels=labels) for images, labels in pairs]
        self.batches = [odd[0], *pairs[1:]] if known else odd

    def train_dataloader(self):
        return DataLoader(self.batches, batch_size=None)


class TakesOwnBatches(DenseModule):
    def training_step(self, batch, batch_idx):
        parts = (batch.images, batch.labels) if isinstance(batch, SimpleNamespace) else batch
        loss = cross_entropy(self(parts[0][:, None]), parts[1])
        return loss * torch.nan if self.lr > 1 else loss


@pytest.mark.parametrize("known", [False, True])
def test_the_loss_of_batches_of_unknown_size_is_blank(tmp_path, known):
    module, log = TakesOwnBatches(), TrainLog()
    trainer = quiet_trainer(tmp_path, max_epochs=2, callbacks=[log])
    trainer.fit(module, OwnBatches(known))
    assert trainer.global_step == 6
    assert set(trainer.callback_metrics) == {"lr"}
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    plain = OwnBatches(known)
    plain.batches = [(one.images, one.labels) for one in OwnBatches().batches]
    trainer.fit(module, plain)
    assert trainer.callback_metrics["train_loss"].isfinite()


def test_a_loss_of_batches_of_unknown_size_that_is_no_number_stops_the_run(tmp_path):
    module = TakesOwnBatches(lr=2.0)
    with pytest.raises(UserError, match="the loss is not a finite number from step 0 of epoch 0"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module, OwnBatches())


class TensorRate(LinearModule):
    """The rate of its optimizer is a tensor, which its schedule changes in place."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=torch.tensor(0.01), foreach=False)
        return [adam], [torch.optim.lr_scheduler.StepLR(adam, 1, 0.5)]


def test_a_rate_in_a_tensor_is_that_of_its_epoch(run_cli):
    fitted(run_cli("fit", "--model", f"{__name__}.TensorRate", "--trainer.max_epochs", "3"))
    assert column("lr") == pytest.approx([0.01, 0.005, 0.0025])


class SetsRate(LinearModule):
    """Sets the rate in its step, as one may that goes by no schedule."""

    def training_step(self, batch, batch_idx):
        for group in self.optimizers().param_groups:
            group["lr"] = 0.01 / (1 + self.global_step)
        return super().training_step(batch, batch_idx)


class NoRate:
    """All that Lightning asks of an optimizer, and no rate in its groups."""

    def __init__(self, weights):
        self.param_groups, self.state, self.defaults = [{"params": [*weights]}], {}, {}

    def step(self, closure):
        return closure()

    def zero_grad(self):
        """Has no gradient."""

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        """Has none."""


class HasNoRate(LinearModule):
    def configure_optimizers(self):
        return NoRate(self.parameters())


def test_a_rate_that_is_set_in_a_step_is_that_of_its_epoch_and_none_is_blank(run_cli):
    for name in ("SetsRate", "HasNoRate"):
        fitted(run_cli("fit", "--model", f"{__name__}.{name}", "--name", name))
    assert column("lr", "SetsRate") == pytest.approx([0.01 / 9, 0.01 / 18])
    assert [row["lr"] for row in rows("HasNoRate")] == ["", ""]


class DropsNaN(DenseModule):
    """Has no loss for its third batch, and takes no step of it."""

    def training_step(self, batch, batch_idx):
        loss = cross_entropy(self(batch.images), batch.labels)
        return loss * torch.nan if batch_idx == 2 else loss

    def on_before_optimizer_step(self, optimizer):
        if self.net[1].weight.grad.isnan().any():
            optimizer.zero_grad()


class KeepsNaN(DropsNaN):
    """Takes that step."""

    def on_before_optimizer_step(self, optimizer):
        """Drops nothing."""


class NoHeldOutLoss(DenseModule):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", torch.inf)


def fit(module, small_data, folder):
    data = MNISTDataModule(str(small_data), "KMNIST", batch_size=60)
    quiet_trainer(folder, max_epochs=1).fit(module, data)


def test_a_loss_whose_step_is_dropped_stops_no_run(small_data, tmp_path):
    module = DropsNaN()
    fit(module, small_data, tmp_path)
    assert not module.train_scores.total.isfinite()
    assert all(one.isfinite().all() for one in module.parameters())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (KeepsNaN, "the loss is not a finite number from step 2 of epoch 0 on; lower --model.lr"),
        (NoHeldOutLoss, "val_loss is not a finite number in epoch 0, though all weights are;"),
    ],
)
def test_the_loss_that_is_not_finite_is_named(small_data, tmp_path, kind, message):
    with pytest.raises(UserError, match=message):
        fit(kind(), small_data, tmp_path)
