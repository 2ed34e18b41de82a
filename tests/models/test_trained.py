"""Networks loaded without Lightning equal those that Lightning loads."""

import pytest
import torch

from lit_mnist.errors import UserError
from lit_mnist.models import modules, rebuild
from lit_mnist.models.trained import NETS, network
from lit_mnist.runs import entries
from lit_mnist.runs.checkpoints import class_name


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("channels_last", [True, None])
def test_loading_without_lightning_gives_equal_outputs(name, channels_last, tmp_path, monkeypatch):
    sizes = {"widths": [[4], [5, 6]], "kernels": [5, 3], "strided": 0, "hidden": 7}
    own = sizes if name == "ConvNetModule" else {}
    module = getattr(modules, name)(channels_last=channels_last, **own)
    checkpoint = {
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        entries.MODEL_CLASS: f"{modules.__name__}.{name}",
    }
    images, before = torch.rand(3, 1, 28, 28), torch.random.get_rng_state()
    expected = rebuild.rebuild(checkpoint, tmp_path).eval()
    monkeypatch.delattr(rebuild, "rebuild")  # which takes Lightning
    net = network(checkpoint, tmp_path)
    assert type(net) is NETS[name]
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.no_grad():
        assert torch.equal(net(images), expected(images))


def test_a_checkpoint_of_another_shape_is_loaded_through_its_class(tmp_path):
    module = modules.DenseModule()
    weights = module.state_dict() | {"net.1.weight": torch.zeros(2, 2)}
    checkpoint = {"state_dict": weights, entries.MODEL_CLASS: f"{modules.__name__}.DenseModule"}
    assert class_name(checkpoint).endswith("DenseModule")
    with pytest.raises(Exception, match="do not fit DenseModule"):
        network(checkpoint, tmp_path)


@pytest.mark.parametrize("widths", [[[10**12], [4]], "many", [[0], [4]]])
def test_absurd_sizes_are_refused_before_memory_is_allocated(widths, tmp_path):
    sizes = {"widths": [[4], [4]], "kernels": [3, 3]}
    weights = modules.ConvNetModule(**sizes).state_dict()
    checkpoint = {
        "state_dict": weights,
        "hyper_parameters": sizes | {"widths": widths},
        entries.MODEL_CLASS: f"{modules.__name__}.ConvNetModule",
    }
    with pytest.raises(UserError):
        network(checkpoint, tmp_path)
