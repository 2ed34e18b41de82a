"""The loss that is logged for a `training_step` that does not score its batch."""

from types import SimpleNamespace

import pytest
import torch

from lit_mnist.data.batches import Batch
from lit_mnist.models.modules import DenseModule
from lit_mnist.models.train_log import TrainLog
from tests.no_dropout import LinearModule
from tests.test_recipes import column, fitted


def test_a_rank_that_has_no_image_of_a_batch_adds_no_loss():
    module, log = DenseModule(), TrainLog()
    trainer = SimpleNamespace(accumulate_grad_batches=1, optimizers=[])
    for images, loss in ((3, 0.5), (0, torch.nan), (1, 0.1)):
        labels = torch.zeros(images, dtype=torch.int64)
        batch = Batch(torch.zeros(images, 1, 28, 28), labels, labels, 2.0)
        log.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, batch, 0)
    assert module.train_scores.compute().loss == pytest.approx((3 * 0.5 + 0.1) / 4)


class TensorRate(LinearModule):
    """The rate of its optimizer is a tensor, which its schedule changes in place."""

    def configure_optimizers(self):
        adam = torch.optim.Adam(self.parameters(), lr=torch.tensor(0.01), foreach=False)
        return [adam], [torch.optim.lr_scheduler.StepLR(adam, 1, 0.5)]


def test_a_rate_in_a_tensor_is_that_of_its_epoch(run_cli):
    fitted(run_cli("fit", "--model", f"{__name__}.TensorRate", "--trainer.max_epochs", "3"))
    assert column("lr") == pytest.approx([0.01, 0.005, 0.0025])
