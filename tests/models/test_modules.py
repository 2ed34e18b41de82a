"""The LightningModules: loss, scores, optimiser, schedule."""

import copy

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.data.batches import Batch
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.errors import UserError
from lit_mnist.models.modules import (
    ClassifierModule,
    DeepConvModule,
    DenseModule,
    SimpleConvModule,
)
from lit_mnist.models.nets import DeepConv, Dense, SimpleConv
from lit_mnist.models.running_scores import RunningScores
from lit_mnist.runs import entries
from tests.no_dropout import LinearModule

PAIRS = {DenseModule: Dense, SimpleConvModule: SimpleConv, DeepConvModule: DeepConv}


def batch(count, share=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        torch.rand(count, 1, 28, 28, generator=generator),
        torch.randint(0, 10, (count,), generator=generator),
        torch.arange(count),
        loss_divisor=share or count,
    )


@pytest.mark.parametrize(("module", "net"), PAIRS.items())
def test_wraps_its_net(module, net):
    assert isinstance(module().net, net)


def test_loss_is_the_mean_cross_entropy():
    module = DenseModule().eval()
    data = batch(7)
    expected = F.cross_entropy(module.net(data.images), data.labels)
    torch.testing.assert_close(module.training_step(data, 0), expected)


def test_mean_loss_over_ranks_equals_the_mean_over_all_images():
    module = DenseModule().eval()
    whole = batch(7)
    parts = [
        Batch(whole.images[r::3], whole.labels[r::3], whole.indices[r::3], 7 / 3) for r in range(3)
    ]
    losses = torch.stack([module.training_step(part, 0) for part in parts])
    torch.testing.assert_close(losses.mean(), module.training_step(whole, 0))


def test_a_rank_without_images_contributes_zero_gradients():
    module = DenseModule()
    module.training_step(batch(0, share=0.5), 0).backward()
    assert all((weights.grad == 0).all() for weights in module.parameters())


def test_optimiser_is_keras_adam():
    adam = DenseModule(lr=0.01).configure_optimizers()
    assert type(adam) is torch.optim.Adam
    assert adam.defaults["lr"] == 0.01
    assert adam.defaults["eps"] == 1e-7
    assert adam.defaults["betas"] == (0.9, 0.999)
    assert adam.defaults["weight_decay"] == 0


def test_plateau_options_reach_the_schedule():
    module = DenseModule(plateau=True, patience=5, factor=0.1, min_lr=1e-4)
    schedule = module.configure_optimizers()["lr_scheduler"]["scheduler"]
    assert schedule.patience == 4  # PyTorch's count of Keras' 5
    assert schedule.factor == 0.1
    assert schedule.min_lrs == [1e-4]


def quiet_trainer(tmp_path, **options):
    options = {"enable_checkpointing": False} | options
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
        **options,
    )


def test_scores_count_every_image_once_with_a_smaller_last_batch(small_data, tmp_path):
    data = MNISTDataModule(str(small_data), "KMNIST", batch_size=86, eval_batch_size=37)
    module = DenseModule()
    trainer = quiet_trainer(tmp_path, max_epochs=2)  # the second epoch must start from zero
    trainer.fit(module, data)
    logged = trainer.callback_metrics
    part, held_out = data.train_set, data.val_indices
    with torch.no_grad():
        logits = module.eval()(part.images[held_out][:, None] / 255)
    labels = part.labels[held_out]
    assert float(logged["val_acc"]) == pytest.approx(
        float((logits.argmax(1) == labels).float().mean())
    )
    assert float(logged["val_loss"]) == pytest.approx(
        float(F.cross_entropy(logits, labels)), rel=1e-5
    )
    assert (
        0
        < float(logged["train_acc"]) * 500
        == pytest.approx(round(float(logged["train_acc"]) * 500))
    )


class Scripted(DenseModule):
    """Logs the given validation scores, to drive the schedule."""

    script = (0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.7)

    def on_train_start(self):
        self.rates = []

    def on_validation_epoch_end(self):
        self.log("val_acc", self.script[self.current_epoch])

    def on_train_epoch_end(self):
        super().on_train_epoch_end()
        self.rates.append(float(self.trainer.callback_metrics["lr"]))


def test_schedule_steps_once_per_epoch_and_logs_the_rate_used(small_data, tmp_path):
    module = Scripted(plateau=True)
    trainer = quiet_trainer(tmp_path, max_epochs=8, limit_train_batches=1)
    trainer.fit(module, MNISTDataModule(str(small_data), "KMNIST"))
    # best at epoch 1; epochs 2, 3, 4 bring nothing, so epoch 5 is the first with half the rate
    assert module.rates == pytest.approx([1e-3] * 5 + [5e-4] * 3)


def test_trains_without_validation(small_data, tmp_path):
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    trainer.fit(DenseModule(plateau=True), MNISTDataModule(str(small_data), "KMNIST"))
    assert "train_acc" in trainer.callback_metrics


def test_the_base_class_without_net_type_is_refused():
    with pytest.raises(UserError, match=r"ClassifierModule: name its net in net_type, as `net_ty"):
        ClassifierModule()


def trained(module, batches):
    """The module after one step per batch, without dropout."""
    optimiser = module.eval().configure_optimizers()
    for data in batches:
        optimiser.zero_grad()
        module.training_step(data, 0).backward()
        optimiser.step()
    return module.state_dict()


@pytest.mark.parametrize("kind", [SimpleConvModule, DeepConvModule])
def test_memory_layout_changes_only_rounding(kind):
    # In float64: Adam turns a rounding error in a gradient near zero into a whole step
    first = kind(channels_last=False).double()
    second = kind(channels_last=True).double()
    second.load_state_dict(first.state_dict())
    convolution = next(layer for layer in second.net if isinstance(layer, torch.nn.Conv2d))
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    batches = [batch(20, seed=seed) for seed in range(3)]
    before = {name: value.clone() for name, value in first.state_dict().items()}
    weights, others = trained(first, batches), trained(second, batches)
    assert not torch.equal(weights["net.0.weight"], before["net.0.weight"])
    for name, value in weights.items():
        assert (value - others[name]).abs().max() < 1e-12, name


def test_evaluation_is_in_float32_for_any_training_precision():
    module, data = SimpleConvModule().eval(), batch(50)
    exact = module(data.images)
    with torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(module(data.images), exact)
        assert torch.equal(module.test_step(data, 0), exact.softmax(dim=1))
        assert torch.equal(module.predict_step(data, 0), exact.softmax(dim=1))
        module.validation_step(data, 0)
    assert (
        module.val_scores.compute().loss
        == F.cross_entropy(exact, data.labels, reduction="sum") / 50
    )


def test_scores_of_partial_batches_add_up():
    scores, logits, labels = RunningScores(), torch.randn(10, 10), torch.arange(10)
    for part in (slice(0, 7), slice(7, 10)):
        total = F.cross_entropy(logits[part], labels[part], reduction="sum")
        scores.update(logits[part], labels[part], total)
    loss, acc = scores.compute()
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels))
    assert acc == (logits.argmax(1) == labels).sum() / 10


def test_compiled_net_keeps_the_names_of_its_weights(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self)))
    assert DenseModule(compile=True).state_dict().keys() == DenseModule().state_dict().keys()
    assert compiled == [Dense]


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_trains_and_scores_in_other_precisions(small_data, tmp_path, precision):
    torch.manual_seed(0)
    trainer = quiet_trainer(tmp_path, max_epochs=2, precision=precision)
    with trainer.init_module():
        module = DenseModule(lr=0.003)
    trainer.fit(module, MNISTDataModule(str(small_data), "KMNIST", batch_size=50))
    logged = trainer.callback_metrics
    assert float(logged["val_acc"]) > 0.5
    assert 0 < float(logged["train_loss"]) < 2.5
    assert trainer.callback_metrics["train_loss"].dtype == torch.float32


class Linear(nn.Sequential):
    """The smallest net, for tests of many steps."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 10))


class Diverging(ClassifierModule):
    """Its loss is NaN from a given step on."""

    net_type = Linear
    breaks_at = 130

    def training_step(self, batch, batch_idx):
        images = batch.images * (float("nan") if batch_idx >= self.breaks_at else 1)
        return super().training_step(batch.replace(images=images), batch_idx)


def test_a_nan_loss_stops_the_run_and_names_the_step(small_data, tmp_path):
    trainer = quiet_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    data = MNISTDataModule(str(small_data), "KMNIST", batch_size=2)  # 250 steps
    with pytest.raises(UserError, match=r"from step 130 of epoch 0 on; lower --model.lr 0.001"):
        trainer.fit(Diverging(), data)
    assert trainer.global_step == 200  # it looks every 100 steps


class DivergingHeldOut(DenseModule):
    """Its weights are NaN after the last step, which no training loss shows."""

    def on_validation_start(self):
        self.net[1].weight.data.fill_(float("nan"))


def test_a_nan_validation_loss_stops_the_run_before_its_checkpoint(small_data, tmp_path):
    saved = ModelCheckpoint(tmp_path, save_on_train_epoch_end=True)
    trainer = quiet_trainer(tmp_path, max_epochs=1, enable_checkpointing=True, callbacks=[saved])
    with pytest.raises(UserError, match="not a finite number from step 6 of epoch 0"):
        trainer.fit(DivergingHeldOut(), MNISTDataModule(str(small_data), "KMNIST", batch_size=86))
    assert not list(tmp_path.glob("*.ckpt"))


def test_partial_sums_of_an_epoch_are_restored():
    first, second = DenseModule(), DenseModule()
    data = batch(7)
    total = F.cross_entropy(first(data.images), data.labels, reduction="sum")
    first.train_scores.update(first(data.images), data.labels, total)
    second.train_scores.load(first.train_scores.partial_sums())
    assert second.train_scores.compute() == first.train_scores.compute()
    first.train_scores.reset()
    assert second.train_scores.count == 7


def test_training_with_a_plain_dataloader_equals_pytorch():
    images, labels = torch.rand(40, 1, 28, 28), torch.arange(40) % 10
    pairs = DataLoader(TensorDataset(images, labels), 10)
    module = LinearModule()
    net = copy.deepcopy(module.net)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(max_epochs=1, accelerator="cpu", enable_checkpointing=False, **quiet)
    trainer.fit(module, pairs, pairs)
    scores = dict(trainer.callback_metrics)
    tested = trainer.test(module, pairs, verbose=False)[0]
    predicted = torch.cat(trainer.predict(module, DataLoader(images, 10)))

    adam = torch.optim.Adam(net.parameters(), eps=1e-7)
    losses = []
    for some, those in zip(images.split(10), labels.split(10), strict=True):
        losses.append(F.cross_entropy(net(some), those))
        adam.zero_grad()
        losses[-1].backward()
        adam.step()
    logits = net(images)
    assert scores["train_loss"] == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    loss = F.cross_entropy(logits, labels).item()
    assert [scores["val_loss"], tested["test_loss"]] == pytest.approx([loss, loss], rel=1e-5)
    assert torch.allclose(predicted, logits.softmax(1), atol=1e-6)


def test_adam_falls_back_for_weights_without_a_fused_kernel():
    module = DenseModule()
    module.filter = nn.Parameter(torch.ones(2, dtype=torch.cfloat))
    module.count = nn.Parameter(torch.tensor(3), requires_grad=False)
    assert not module.configure_optimizers().defaults["fused"]
    assert DenseModule().configure_optimizers().defaults["fused"]


@pytest.mark.parametrize("answer", [lambda logits: logits[:, :9], lambda logits: (logits, 1)])
def test_outputs_that_are_not_logits_are_refused(monkeypatch, answer):
    module = DenseModule()
    monkeypatch.setattr(module, "forward", lambda images: answer(module.net(images)))
    for step in (module.training_step, module.validation_step):
        with pytest.raises(UserError, match=r"DenseModule: returns .* float tensor \(6, 10\)"):
            step(batch(6), 0)


def test_a_module_from_load_from_checkpoint_starts_a_new_epoch(small_data, tmp_path):
    def fit(module, **options):
        trainer = quiet_trainer(tmp_path, max_epochs=1, limit_val_batches=0, **options)
        trainer.fit(module, MNISTDataModule(str(small_data), "KMNIST", batch_size=60))
        return trainer.callback_metrics["train_loss"]

    within = tmp_path / "within.ckpt"
    save = LambdaCallback(
        on_train_batch_end=lambda trainer, *_: (
            trainer.save_checkpoint(within) if trainer.global_step == 5 else None
        )
    )
    fit(DenseModule(), callbacks=[save])
    assert torch.load(within, weights_only=True)[entries.SCORES]["count"] == 5 * 60
    loaded, copied = DenseModule.load_from_checkpoint(within), DenseModule()
    copied.load_state_dict(loaded.state_dict())
    assert fit(loaded) == fit(copied)
