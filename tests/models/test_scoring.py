"""Scores over an epoch, against NumPy and scikit-learn."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LambdaCallback
from sklearn.metrics import accuracy_score, log_loss
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from lit_mnist.data.batches import Batch
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.models.modules import DenseModule
from lit_mnist.models.running_scores import RunningScores
from lit_mnist.models.scoring import ScoredModule
from tests.no_dropout import LinearModule


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


@pytest.mark.parametrize(
    ("dtype", "least"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)]
)
def test_a_loss_is_computed_in_the_precision_of_its_network(dtype, least):
    logits, labels = next(batches([50]))
    logits = logits.to(dtype).requires_grad_()
    batch = Batch(torch.zeros(50, 1, 28, 28), labels, torch.arange(50), 1.0)
    total = LinearModule().score(batch, logits, RunningScores())
    (gradient,) = torch.autograd.grad(total, logits)
    chances = logits.detach().double().softmax(1).numpy()
    expected = chances - np.eye(10)[labels]
    np.testing.assert_allclose(gradient.double().numpy(), expected, atol=least)


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


class Still(LinearModule):
    """Its weights stay as they are, so that any part of an epoch is scored by the same ones."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Halves(Still):
    """Gives each batch to the step in two parts, and calls them all the first batch."""

    def training_step(self, batch, batch_idx):
        parts = zip(*(values.chunk(2) for values in batch), strict=True)
        return sum(super(Halves, self).training_step(part, 0) for part in parts)

    def validation_step(self, batch, batch_idx):
        for part in zip(*(values.chunk(2) for values in batch), strict=True):
            super().validation_step(part, 0)


class SeveralClosures(Still):
    """Its optimizer calls the training step three times for each batch."""

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), lr=0.0, max_iter=3, tolerance_grad=0.0)


class OfLoaders(Still):
    """Validates on several loaders."""

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        super().validation_step(batch, batch_idx)


def pairs(count, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, 28, 28, generator=generator)
    labels = torch.randint(10, (count,), generator=generator)
    return DataLoader(TensorDataset(images, labels), 10)


def scored(module, loader):
    """The loss and the accuracy of a loader's images, all at once."""
    images, labels = loader.dataset.tensors
    with torch.no_grad():
        logits = module.net(images)
    return log_loss(labels, logits.double().softmax(1), labels=range(10)), accuracy_score(
        labels, logits.argmax(1)
    )


def trainer_of(*callbacks):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(
        max_epochs=2,
        accelerator="cpu",
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        callbacks=[*callbacks],
        **quiet,
    )


def logged(trainer, stage, ending=""):
    names = (f"{stage}_loss{ending}", f"{stage}_acc{ending}")
    return [trainer.callback_metrics[name].item() for name in names]


@pytest.mark.parametrize("kind", [Halves, SeveralClosures])
def test_a_step_that_is_called_several_times_for_a_batch_loses_no_image(kind):
    module, trainer, train, held_out = kind(), trainer_of(), pairs(40, 0), pairs(30, 1)
    trainer.fit(module, train, held_out)
    assert logged(trainer, "train") == pytest.approx(scored(module, train), rel=1e-5)
    assert logged(trainer, "val") == pytest.approx(scored(module, held_out), rel=1e-5)


def test_each_of_several_loaders_is_scored_by_itself():
    module, trainer, held_out = OfLoaders(), trainer_of(), [pairs(30, 1), pairs(40, 2)]
    trainer.fit(module, pairs(20, 0), held_out)
    for place, loader in enumerate(held_out):
        found = logged(trainer, "val", f"/dataloader_idx_{place}")
        assert found == pytest.approx(scored(module, loader), rel=1e-5)


@pytest.mark.parametrize("hook", ["on_validation_batch_end", "on_train_batch_end"])
@pytest.mark.parametrize("again", [True, False])
def test_an_interrupted_epoch_leaves_nothing_in_the_next(hook, again):
    def stop(trainer, *_):
        if len(stopped) < 1 and trainer.fit_loop.epoch_loop.batch_progress.current.ready > 1:
            stopped.append(trainer)
            raise RuntimeError("stopped")

    stopped, module, train, held_out = [], Still(), pairs(40, 0), pairs(30, 1)
    trainer = trainer_of(LambdaCallback(**{hook: stop}))
    with pytest.raises(RuntimeError, match="stopped"):
        trainer.fit(module, train, held_out)
    trainer = trainer if again else trainer_of()
    trainer.fit(module, pairs(50, 3), held_out)
    assert logged(trainer, "train") == pytest.approx(scored(module, pairs(50, 3)), rel=1e-5)
    assert logged(trainer, "val") == pytest.approx(scored(module, held_out), rel=1e-5)
