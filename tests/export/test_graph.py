"""Graphs for any number of images: of each shipped config's net, and of a user's own module."""

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from lit_mnist import models
from lit_mnist.errors import UserError
from lit_mnist.export import formats
from lit_mnist.export.graph import traced
from lit_mnist.export.model import WholeModel
from lit_mnist.models import ClassifierModule
from lit_mnist.models.trained import network
from tests.test_configs import SYSTEMS


class EvaluatesMore(ClassifierModule):
    """Extends the evaluation by nothing."""

    @staticmethod
    def net_type():
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def evaluate(self, batch):
        return super().evaluate(batch)


def whole(module, tmp_path):
    """What `export` traces of a module's checkpoint."""
    checkpoint = {
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        "pytorch-lightning_version": "2.6.6",
    }
    module.on_save_checkpoint(checkpoint)
    return WholeModel([network(checkpoint, tmp_path, [type(module)])])


def of_config(path):
    """The module that a config names."""
    model = yaml.safe_load(path.read_text())["model"]
    return getattr(models, model["class_path"])(**model.get("init_args", {}))


def images(count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    return torch.from_numpy(pixels)


@pytest.mark.usefixtures("full_size")
@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_each_shipped_net_is_traced_for_any_number_of_images(path, tmp_path):
    model = whole(of_config(path), tmp_path)
    graph = traced(model, "uint8").module()
    for count in (1, 3):
        with torch.no_grad():
            found, expected = graph(images(count)), model(images(count))
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_an_evaluation_that_extends_ours_is_traced(tmp_path):
    model = whole(EvaluatesMore(), tmp_path)
    with torch.no_grad():
        found = traced(model, "uint8").module()(images(5))
        torch.testing.assert_close(found, model(images(5)), atol=1e-6, rtol=0)


def test_onnx_holds_a_net_that_averages_shifted_views(tmp_path):
    model = whole(models.ConvNetModule([[4]], [3], shifts=True), tmp_path)
    onnx_file = formats.format_module("onnx")
    file = tmp_path / "model.onnx"
    file.write_bytes(onnx_file.content(traced(model, "uint8"), {}))
    found = onnx_file.Reader(file).probabilities(images(5).numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found, model(images(5)).numpy(), atol=1e-6)


def test_tracing_leaves_no_class_of_the_same_name(tmp_path):
    traced(whole(EvaluatesMore(), tmp_path), "uint8")
    assert EvaluatesMore.__subclasses__() == []


class CountsImages(ClassifierModule):
    """Computes with the number of images as a number of Python's."""

    class net_type(nn.Module):  # as the attribute is called
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Parameter(torch.zeros(1, 784)), nn.Linear(1568, 10)

        def forward(self, images):
            first = self.first.expand(len(images), -1)
            return self.last(torch.cat([first, images.flatten(1)], 1))


def test_a_net_for_a_fixed_number_of_images_is_refused_with_the_likely_cause(tmp_path):
    with pytest.raises(UserError, match=r"take x\.shape\[0\] for len\(x\)") as told:
        traced(whole(CountsImages(), tmp_path), "uint8")
    assert "TORCH_LOGS" not in str(told.value)
