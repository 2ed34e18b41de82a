"""Scores over an epoch, against NumPy and scikit-learn."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from sklearn.metrics import accuracy_score, log_loss
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from lit_mnist.data.batches import Batch
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.models.modules import DenseModule
from lit_mnist.models.scoring import RunningScores, ScoredModule


def batches(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for size in sizes:
        logits = torch.randn(size, 10, generator=generator) * 3
        yield logits, torch.randint(10, (size,), generator=generator)


def add(scores, logits, labels):
    scores.update(logits, labels, F.cross_entropy(logits, labels, reduction="sum"))


def test_a_smaller_last_batch_is_weighted_by_its_images():
    scores, parts = RunningScores(), list(batches([86, 86, 3]))
    for logits, labels in parts:
        add(scores, logits, labels)
    logits, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    loss, acc = scores.compute()
    probabilities = logits.double().softmax(1).numpy()
    assert loss.item() == pytest.approx(log_loss(labels, probabilities), rel=1e-5)
    assert acc.item() == pytest.approx(accuracy_score(labels, probabilities.argmax(1)))


def test_sums_are_reset_for_a_new_epoch():
    scores = RunningScores()
    first, second = batches([50, 50])
    add(scores, *first)
    scores.compute()
    scores.reset()
    add(scores, *second)
    alone = RunningScores()
    add(alone, *second)
    assert scores.compute() == alone.compute()


def test_ties_go_to_the_lowest_class():
    scores = RunningScores()
    add(scores, torch.zeros(4, 10), torch.tensor([0, 1, 0, 9]))
    assert scores.compute().acc.item() == 0.5
    assert scores.compute().loss.item() == pytest.approx(np.log(10))


def test_nan_is_no_answer_though_its_argmax_is_class_0():
    module, scores = ScoredModule().eval(), RunningScores()
    logits = torch.tensor([[torch.nan] * 10, [1.0] + [0.0] * 9])
    labels = torch.tensor([0, 0])
    module.score(Batch(torch.zeros(2, 1, 28, 28), labels, labels, 2), logits, scores)
    assert scores.compute().acc.item() == 0.5


def test_the_first_step_with_a_nan_loss_is_recorded():
    scores = RunningScores()
    for step, (logits, labels) in enumerate(batches([8] * 5)):
        scores.update(logits, labels, torch.tensor(torch.nan if step == 3 else 1.0))
    assert scores.finite_steps.item() == 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_are_in_float32_for_any_weights(dtype):
    module = ScoredModule().to(dtype)
    for _ in range(700):  # more than bfloat16 can count, and float16 hold: 700 x 86 x 2.3
        logits, labels = torch.zeros(86, 10, dtype=dtype), torch.zeros(86, dtype=torch.long)
        module.score(Batch(logits, labels, None, 86), logits, module.val_scores)
    assert module.val_scores.compute().loss.item() == pytest.approx(np.log(10), rel=1e-5)


def test_restored_sums_continue_bit_identically():
    whole, cut = RunningScores(), RunningScores()
    parts = list(batches([20] * 6))
    for part in parts:
        add(whole, *part)
    for part in parts[:4]:
        add(cut, *part)
    resumed = RunningScores()
    kept = cut.partial_sums()
    add(cut, *parts[4])  # what is kept is a copy
    resumed.load(kept)
    for part in parts[4:]:
        add(resumed, *part)
    assert resumed.compute() == whole.compute()


class Fixed(ScoredModule):
    """Computes like a network in the given precision."""

    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.linspace(-1, 1, 7840).view(10, 784))

    def forward(self, images):
        return images.flatten(1) @ self.weights.T


@pytest.mark.parametrize("step", ["test_step", "predict_step", "validation_step"])
def test_evaluation_is_in_the_precision_of_the_weights(step):
    module = Fixed()
    images = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    batch = Batch(images, torch.arange(16) % 10, torch.arange(16), 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert module(images).dtype == torch.bfloat16
        given = getattr(module, step)(batch, 0)
    expected = module(images)
    if given is not None:
        assert torch.equal(given, expected.softmax(1))
    if step == "validation_step":
        loss = module.val_scores.compute().loss
        assert torch.equal(loss, F.cross_entropy(expected, batch.labels, reduction="sum") / 16)


class OwnMetrics(DenseModule):
    """Keeps metrics of its own under the names of what is logged."""

    def __init__(self):
        super().__init__()
        self.train_acc, self.val_acc, self.test_acc = (
            MulticlassAccuracy(10, average="micro") for _ in range(3)
        )

    def validation_step(self, batch, batch_idx):
        answer = super().validation_step(batch, batch_idx)
        self.val_acc.update(answer, batch.labels)
        return answer


def test_metrics_of_a_module_may_have_the_names_of_what_is_logged(small_data, here):
    module, data = OwnMetrics(), MNISTDataModule(str(small_data), "KMNIST", batch_size=60)
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "num_sanity_val_steps"), 0)
    trainer = Trainer(accelerator="cpu", max_epochs=1, **quiet)
    trainer.fit(module, data)
    logged = trainer.callback_metrics
    names = {f"{stage}_{name}" for stage in ("train", "val") for name in ("acc", "loss")}
    assert logged.keys() >= names
    assert logged["val_acc"].item() == pytest.approx(module.val_acc.compute().item())
    (scores,) = trainer.test(module, data, verbose=False)
    assert 0 <= scores["test_acc"] <= 1
