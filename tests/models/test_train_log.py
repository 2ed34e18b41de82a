"""The loss that is logged for a `training_step` that does not score its batch."""

from types import SimpleNamespace

import pytest
import torch

from lit_mnist.data.batches import Batch
from lit_mnist.models.modules import DenseModule
from lit_mnist.models.train_log import TrainLog


def test_a_rank_that_has_no_image_of_a_batch_adds_no_loss():
    module, log = DenseModule(), TrainLog()
    trainer = SimpleNamespace(accumulate_grad_batches=1, optimizers=[])
    for images, loss in ((3, 0.5), (0, torch.nan), (1, 0.1)):
        labels = torch.zeros(images, dtype=torch.int64)
        batch = Batch(torch.zeros(images, 1, 28, 28), labels, labels, 2.0)
        log.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, batch, 0)
    assert module.train_scores.compute().loss == pytest.approx((3 * 0.5 + 0.1) / 4)
