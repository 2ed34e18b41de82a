"""The data module: its stages, and the images that reach the network."""

import copy
import itertools

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.tuner import Tuner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lit_mnist.data.batches import Batch
from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.split import split_sha256
from lit_mnist.errors import UserError
from lit_mnist.models.modules import DenseModule


@pytest.fixture
def module(small_data):
    def build(**options):
        return MNISTDataModule(data_dir=str(small_data), dataset="KMNIST", **options)

    return build


def one_epoch(**options):
    """A trainer that leaves nothing behind."""
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_checkpointing"), False)
    return Trainer(accelerator="cpu", max_epochs=1, **quiet, **options)


def test_fit_uses_the_split_and_no_global_generator(module):
    data = module(seed=5)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    data.setup("fit")
    batches = list(data.train_dataloader())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert len(data.train_indices) == 500
    assert len(data.val_indices) == 100
    seen = torch.cat([batch.indices for batch in batches])
    assert set(seen.tolist()) == set(data.train_indices.tolist())
    held_out = torch.cat([batch.indices for batch in data.val_dataloader()])
    assert torch.equal(held_out, data.val_indices)


def test_split_seed_and_run_seed_are_independent(module):
    first, second, third = module(seed=1), module(seed=2), module(split_seed=1)
    for data in (first, second, third):
        data.setup("fit")
    assert torch.equal(first.val_indices, second.val_indices)
    assert not torch.equal(first.val_indices, third.val_indices)


@pytest.mark.parametrize("stage", ["fit", "validate", "test"])
def test_a_stage_opens_only_its_own_files(module, stage, tmp_path):
    needed = "test" if stage == "test" else "train"
    spec = DATASETS["KMNIST"]
    source, target = spec.folder(module().data_dir), spec.folder(tmp_path)
    target.mkdir(parents=True)
    for name in spec.files[needed]:
        (target / name).write_bytes((source / name).read_bytes())
    MNISTDataModule(str(tmp_path), "KMNIST", download=False).setup(stage)
    assert len(list(target.iterdir())) == 2


def test_the_test_set_is_complete_and_in_order(module):
    data = module(eval_batch_size=40)
    data.setup("test")
    batches = list(data.test_dataloader())
    assert [len(batch.labels) for batch in batches] == [40, 40, 21]
    assert torch.equal(torch.cat([batch.indices for batch in batches]), torch.arange(101))


def test_evaluation_images_are_the_raw_pixels_by_255(module):
    data = module(augment=True)
    data.setup("fit")
    batch = next(iter(data.val_dataloader()))
    ready = data.on_after_batch_transfer(batch, 0)
    expected = data.train_set.images[batch.indices].numpy().astype(np.float32)[:, None] / 255
    np.testing.assert_allclose(ready.images, expected, atol=1e-7)
    assert ready.images.dtype == torch.float32


def test_training_images_are_augmented_with_the_step_s_seed(module):
    plain, augmented = module(), module(augment=True)
    for data in (plain, augmented):
        data.setup("fit")
    batch = next(iter(augmented.train_dataloader()))
    raw = plain.on_after_batch_transfer(batch, 0).images
    once = augmented.on_after_batch_transfer(batch, 0).images
    dropout = torch.rand(3)  # what the network would draw next
    torch.manual_seed(0)
    again = augmented.on_after_batch_transfer(batch, 0).images
    assert torch.equal(once, again)
    assert torch.equal(dropout, torch.rand(3))
    other = augmented.on_after_batch_transfer(batch.replace(seed=batch.seed + 1), 0).images
    assert (raw - once).abs().mean() > 0.01
    assert (other - once).abs().mean() > 0.01
    assert once.min() >= 0
    assert once.max() <= 1


def test_nearest_interpolation_creates_no_new_values(module):
    for interpolation, closed in (("nearest", True), ("bilinear", False)):
        data = module(augment=True, interpolation=interpolation)
        data.setup("fit")
        batch = next(iter(data.train_dataloader()))
        images = data.on_after_batch_transfer(batch, 0).images
        assert torch.isin(images, batch.images.float() / 255).all() == closed


def test_augmentation_uses_full_batches_only(module):
    for augment, steps in ((False, 6), (True, 5)):
        data = module(augment=augment, batch_size=86)
        data.setup("fit")
        assert len(data.train_dataloader()) == steps == len(list(data.train_dataloader()))


def test_a_batch_that_would_be_dropped_is_refused(module):
    module(batch_size=501).setup("fit")
    with pytest.raises(UserError, match="501 is more than the 500 training images"):
        module(batch_size=501, augment=True).setup("fit")


@pytest.mark.parametrize("name", ["batch_size", "eval_batch_size"])
@pytest.mark.parametrize("size", [0, -3])
def test_batches_of_no_images_are_refused(module, name, size):
    with pytest.raises(UserError, match=f"--data.{name} {size}: take 1 or more"):
        module(**{name: size})


def test_the_search_for_a_batch_size_ends_at_that_of_a_data_loader(module, here):
    data = module(batch_size=8)
    found = Tuner(one_epoch()).scale_batch_size(DenseModule(), datamodule=data, steps_per_trial=1)
    assert found == data.batch_size == 512  # the first power of two above the 500 images


def test_checkpoints_of_other_data_or_splits_are_refused(module):
    data = module()
    data.setup("fit")
    data.load_state_dict(data.state_dict())
    for key in ("dataset", "data_sha256", "split_sha256"):
        with pytest.raises(UserError, match=f"trained with {key} other"):
            data.load_state_dict(data.state_dict() | {key: "other"})


def test_predict_needs_no_labels(module, tmp_path):
    from PIL import Image

    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 12:16] = 7, 200, 200, 7
    Image.fromarray(bar).save(tmp_path / "a.png")
    assert MNISTDataModule(images="a.png").images == ["a.png"]  # one, rather than its letters
    data = MNISTDataModule(images=[str(tmp_path / "a.png")])
    data.setup("predict")
    (batch,) = data.predict_dataloader()
    assert isinstance(batch, Batch)
    assert np.array_equal(batch.images[0].numpy(), bar)
    assert batch.labels.tolist() == [-1]


def seen(loader):
    return [batch.indices.tolist() for batch in loader]


def test_manual_loops_are_full_passes_in_a_new_order(module):
    data = module(batch_size=60)
    data.setup("fit")
    loader = data.train_dataloader()
    passes = [seen(loader), seen(loader), seen(data.train_dataloader()), seen(loader)]
    assert [len(batches) for batches in passes] == [9] * 4
    for batches in passes:
        assert sorted(itertools.chain(*batches)) == sorted(data.train_indices.tolist())
    assert len({str(batches) for batches in passes}) == 4


class Recorder(Callback):
    """Records the training batches; with `by_hand`, also iterates over the data in every hook."""

    def __init__(self, by_hand):
        self.by_hand, self.trained, self.passes = by_hand, [], []

    def loop(self, trainer, *_):
        if self.by_hand:
            self.passes += [seen(trainer.train_dataloader)]
            self.passes += [seen(trainer.datamodule.train_dataloader())]

    on_train_start = on_train_epoch_start = on_train_epoch_end = on_train_end = loop

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.trained.append(batch.indices.tolist())
        if batch_idx == 3:
            self.loop(trainer)


def fit(data, recorder, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    trainer = Trainer(
        accelerator="cpu", max_epochs=3, callbacks=[recorder], enable_checkpointing=False,
        **quiet, **options,
    )  # fmt: skip
    trainer.fit(DenseModule(), data)
    return trainer


def test_manual_loops_in_callbacks_do_not_disturb_training(module):
    plain, looping = Recorder(by_hand=False), Recorder(by_hand=True)
    fit(module(batch_size=60), plain)
    data = module(batch_size=60)
    fit(data, looping)
    assert looping.trained == plain.trained
    passes = [*looping.passes, seen(data.train_dataloader())]
    assert {len(batches) for batches in passes} == {9}
    assert len({str(batches) for batches in passes}) == len(passes) == 2 * (2 + 3 * 3) + 1


def test_overfitting_repeats_the_same_batches(module):
    recorder = Recorder(by_hand=False)
    fit(module(batch_size=60), recorder, overfit_batches=2)
    assert len(recorder.trained) == 6
    assert recorder.trained[:2] == recorder.trained[2:4] == recorder.trained[4:]
    assert recorder.trained[0] != recorder.trained[1]


class OwnLoaders(MNISTDataModule):
    """Reads its batches by a loader of its own, of raw pixels."""

    def train_dataloader(self):
        chosen = self.train_indices
        images = TensorDataset(self.train_set.images[chosen], self.train_set.labels[chosen])
        return DataLoader(images, batch_size=100)


def test_a_subclass_may_have_loaders_of_its_own(module, tmp_path):
    data = OwnLoaders(module().data_dir, "KMNIST")
    model = DenseModule()
    trainer = one_epoch(default_root_dir=tmp_path)
    trainer.fit(model, data)
    assert trainer.global_step == 5
    assert trainer.callback_metrics["train_loss"].isfinite()
    assert trainer.callback_metrics["val_loss"].isfinite()


class FewImages(MNISTDataModule):
    """Trains on a part of the images, already scaled, by its own choice."""

    def setup(self, stage):
        super().setup(stage)
        self.train_indices = self.train_indices[:60]
        self.train_set = self.train_set._replace(images=self.train_set.images / 255)


def test_the_fingerprint_of_a_subclass_is_of_its_own_split(module):
    data, plain = FewImages(module().data_dir, "KMNIST"), module()
    for one in (data, plain):
        one.setup("validate")
    assert data.fingerprint()["data_sha256"] == plain.fingerprint()["data_sha256"]
    found = data.fingerprint()["split_sha256"]
    assert found == split_sha256(plain.train_indices[:60], plain.val_indices)
    data.load_state_dict(data.state_dict())  # of its own checkpoint
    with pytest.raises(UserError, match="split_sha256"):
        data.load_state_dict(plain.state_dict())


def test_images_that_a_subclass_has_scaled_are_not_scaled_again(module):
    data, plain = FewImages(module().data_dir, "KMNIST"), module()
    for one in (data, plain):
        one.setup("fit")
    found, expected = (
        one.on_after_batch_transfer(next(iter(one.val_dataloader())), 0).images
        for one in (data, plain)
    )
    assert torch.equal(found, expected)


class Inverting(DenseModule):
    """Changes its batches in a hook of Lightning's."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        self.seen = batch.replace(images=1 - batch.images)
        return self.seen


def test_a_module_s_own_hook_gets_the_prepared_batch(module):
    data, model = module(), Inverting()
    trainer = one_epoch(limit_val_batches=0)
    trainer.fit(model, data)
    expected = 1 - data.train_set.images[model.seen.indices].unsqueeze(1) / 255
    assert torch.equal(model.seen.images, expected)


class Plain(LightningModule):
    """As tutorials write it, without a class of ours."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def training_step(self, batch, batch_idx):
        images, labels = batch
        return nn.functional.cross_entropy(self.net(images), labels)

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        self.log("val_loss", nn.functional.cross_entropy(self.net(images), labels))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("error:Trying to infer:UserWarning")
def test_a_plain_lightning_module_trains_on_our_batches(module):
    torch.manual_seed(0)
    data, model = module(batch_size=100, eval_batch_size=40), Plain()
    by_hand = copy.deepcopy(model)
    trainer = one_epoch()
    trainer.fit(model, data)
    optimizer, same = by_hand.configure_optimizers(), module(batch_size=100)
    same.setup("fit")
    for batch in same.train_dataloader():
        optimizer.zero_grad()
        nn.functional.cross_entropy(by_hand.net(batch.images / 255), batch.labels).backward()
        optimizer.step()
    assert torch.allclose(model.net[1].weight, by_hand.net[1].weight, atol=1e-6)
    held_out = data.train_set.images[data.val_indices], data.train_set.labels[data.val_indices]
    loss = nn.functional.cross_entropy(by_hand.net(held_out[0] / 255), held_out[1])
    assert float(trainer.callback_metrics["val_loss"]) == pytest.approx(loss.item(), rel=1e-5)


def test_the_seed_in_python_is_that_of_seed_everything(module, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")  # as seed_everything does
    assert (module().seed, module(seed=7).seed) == (5, 7)
    monkeypatch.delenv("PL_GLOBAL_SEED")
    assert module().seed == 42


class KeepsTypes(LightningModule):
    """Knows nothing of this program; keeps the types of its images and what they hold."""

    def __init__(self):
        super().__init__()
        self.layer, self.kinds, self.first = nn.Linear(784, 10), set(), None

    def training_step(self, batch, batch_idx):
        images, labels = batch
        self.kinds.add(images.dtype)
        self.first = images if self.first is None else self.first
        return nn.functional.cross_entropy(self.layer(images.flatten(1)), labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("augment", [False, True])
def test_images_have_the_type_of_the_weights_as_those_of_any_loader(module, augment):
    first = {}
    for precision, kind in (("32", torch.float32), ("64", torch.float64), ("bf16", torch.bfloat16)):
        plain = KeepsTypes()
        trainer = one_epoch(precision=f"{precision}-true", limit_train_batches=2)
        trainer.fit(plain, module(batch_size=60, augment=augment))
        assert plain.kinds == {kind}
        first[precision] = plain.first
    assert torch.equal(first["64"], first["32"].double())  # augmented in float32
    assert torch.equal(first["bf16"], first["32"].bfloat16())
