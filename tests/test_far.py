"""What lies on a device is fetched before NumPy reads it; a stand-in for a GPU, which CI has not.

The batches that the data module gives are of a class of tensors that NumPy cannot read until
`.cpu()`, as tensors of a GPU; all that is computed of them is of that class, too.
"""

import numpy as np
import pytest
import torch
from PIL import Image

from lit_mnist.data.datamodule import MNISTDataModule
from tests.conftest import CONFIGS, digits

prepared = MNISTDataModule.on_after_batch_transfer


class Far(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise TypeError("can't convert a tensor of another device to numpy; use Tensor.cpu()")
        found = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu or (func is torch.Tensor.to and "cpu" in map(str, args)):
            return found.as_subclass(torch.Tensor)
        return found


@pytest.fixture
def far(monkeypatch):
    def send(self, batch, dataloader_idx):
        batch = prepared(self, batch, dataloader_idx)
        names = ("images", "labels", "indices")
        return batch._replace(**{name: getattr(batch, name).as_subclass(Far) for name in names})

    monkeypatch.setattr(MNISTDataModule, "on_after_batch_transfer", send)


def test_the_stand_in_is_as_strict_as_a_gpu():
    there = torch.ones(3).as_subclass(Far) * 2
    for read in (lambda: there.numpy(), lambda: np.asarray(there)):
        with pytest.raises(TypeError, match=r"use Tensor\.cpu"):
            read()
    assert there.cpu().numpy().tolist() == there.to("cpu").numpy().tolist() == [2.0, 2.0, 2.0]


@pytest.mark.pictures
@pytest.mark.parametrize("config", ["simple_augmented", "fast"])
def test_a_run_fetches_what_it_draws_and_writes(run_cli, far, config):
    image = Image.fromarray(digits(1, 0)[0][0].numpy())
    image.save("digit.png")
    for command in (["fit"], ["test"], ["validate"], ["predict", "--data.images", "digit.png"]):
        status, _, problems = run_cli(*command, config=config)
        assert status == 0, problems


@pytest.mark.pictures
def test_so_does_a_committee(call, members, in_process, far, capsys):
    checkpoints = "tb_logs/dense/*/checkpoints/best.ckpt"
    ensemble = ("--config", f"{CONFIGS}/ensemble.yaml", "--model.checkpoints", checkpoints)
    assert call("committee", "--members", "4")[0] == 0, capsys.readouterr().err
    assert call("test", *ensemble)[0] == 0, capsys.readouterr().err
