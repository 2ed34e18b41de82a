"""What lies on a device is fetched before NumPy reads it, and is what ranks send to each other.

The batches that the data module gives are of the class `Far`.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.loops import training_epoch_loop
from PIL import Image

from lit_mnist.data.datamodule import MNISTDataModule
from lit_mnist.export import arrays
from lit_mnist.models import cascade, train_log
from lit_mnist.models.nets import Dense
from lit_mnist.models.running_scores import RunningScores
from lit_mnist.runs import plain
from lit_mnist.workarounds import applied
from tests.conftest import CONFIGS, digits
from tests.far import Far

prepared = MNISTDataModule.on_after_batch_transfer
GPU = torch.device("meta")  # stands for one where tensors are only sent


@pytest.fixture
def far(monkeypatch):
    def send(self, batch, dataloader_idx):
        batch = prepared(self, batch, dataloader_idx)
        names = ("images", "labels", "indices")
        return batch.replace(**{name: getattr(batch, name).as_subclass(Far) for name in names})

    monkeypatch.setattr(MNISTDataModule, "on_after_batch_transfer", send)


def test_the_stand_in_is_as_strict_as_a_gpu():
    there = torch.ones(3).as_subclass(Far) * 2
    for read in (lambda: there.numpy(), lambda: np.asarray(there)):
        with pytest.raises(TypeError, match=r"use Tensor\.cpu"):
            read()
    for convert in (lambda: there.double(), lambda: there.to(torch.float64)):
        with pytest.raises(TypeError, match="float64"):
            convert()
    assert there.cpu().numpy().tolist() == there.to("cpu").numpy().tolist() == [2.0, 2.0, 2.0]
    assert there.cpu().double().dtype == torch.float64


@pytest.mark.pictures
def test_a_run_fetches_what_it_draws_and_writes(run_cli, far):
    image = Image.fromarray(digits(1, 0)[0][0].numpy())
    image.save("digit.png")
    fit = ("fit", "--data.augment", "true")
    for command in (fit, ("test",), ("validate",), ("predict", "--data.images", "digit.png")):
        status, _, problems = run_cli(*command, config="fast")
        assert status == 0, problems


@pytest.mark.pictures
def test_so_does_a_committee(call, far):
    checkpoints = "tb_logs/dense/*/checkpoints/best.ckpt"
    ensemble = ("--config", f"{CONFIGS}/ensemble.yaml", "--model.checkpoints", checkpoints)
    status, _, problems = call("test", *ensemble)
    assert status == 0, problems


def test_a_cascade_asks_of_images_there_what_it_asks_of_others():
    nets, images = [Dense().eval(), Dense().eval()], torch.rand(20, 1, 28, 28)
    members = [lambda some, net=net: net(some).log_softmax(1) for net in nets]
    with torch.no_grad():
        limit = float(members[0](images).exp().amax(1).median())
        expected = cascade.run(members, images, [limit])
        found = cascade.run(members, images.as_subclass(Far), [limit])
    assert set(expected.used.tolist()) == {1, 2}
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_images_of_a_device_are_read_alone_and_as_a_list():
    images = torch.rand(2, 28, 28)
    there = images.as_subclass(Far)
    for given in (there, list(there), tuple(there)):
        assert torch.equal(arrays.pixels_of(given, whole=False), images)


def test_a_checkpoint_holds_what_any_machine_can_load(monkeypatch):
    monkeypatch.setattr(plain, "Tensor", Far)
    found = plain.checked({"weights": [torch.ones(2).as_subclass(Far)]})
    assert type(found["weights"][0]) is torch.Tensor


class SentError(Exception):
    """Ends what follows."""


def test_ranks_send_tensors_of_their_device_as_nccl_takes_no_others(monkeypatch):
    sent = []

    def send(tensor, *_):
        sent.append(tensor.device.type)
        raise SentError

    monkeypatch.setattr(torch.distributed, "all_reduce", send)
    monkeypatch.setattr(train_log, "gather_all_tensors", send)
    parts = {"strategy": SimpleNamespace(root_device=GPU), "world_size": 2}
    trainer = SimpleNamespace(_signal_connector=SimpleNamespace(), **parts)
    with applied.agree_on_sigterm(), pytest.raises(SentError):
        training_epoch_loop._TrainingEpochLoop._broadcast_sigterm_tensor(
            SimpleNamespace(batch_idx=15, trainer=trainer)
        )
    log = train_log.TrainLog()
    log.ended = False
    with pytest.raises(SentError):
        log.on_save_checkpoint(trainer, SimpleNamespace(train_scores=RunningScores().to(GPU)), {})
    assert sent == ["meta", "meta"]
