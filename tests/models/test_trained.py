"""The notebook's own networks, built without Lightning, are those that Lightning builds."""

import pytest
import torch

from lit_mnist.models import modules
from lit_mnist.models.rebuild import rebuild
from lit_mnist.models.trained import NETS, network
from lit_mnist.runs.checkpoints import class_name


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("channels_last", [True, None])
def test_they_say_the_same(name, channels_last, tmp_path):
    module = getattr(modules, name)(channels_last=channels_last)
    assert module.net_type is NETS[name]
    checkpoint = {
        "state_dict": module.state_dict(),
        "hyper_parameters": dict(module.hparams),
        "model_class": f"{modules.__name__}.{name}",
    }
    images = torch.rand(3, 1, 28, 28)
    net = network(checkpoint, tmp_path)
    assert type(net) is NETS[name]
    with torch.no_grad():
        assert torch.equal(net(images), rebuild(checkpoint, tmp_path)(images))


def test_a_checkpoint_that_does_not_fit_is_left_to_the_class_that_it_names(tmp_path):
    module = modules.DenseModule()
    weights = module.state_dict() | {"net.1.weight": torch.zeros(2, 2)}
    checkpoint = {"state_dict": weights, "model_class": f"{modules.__name__}.DenseModule"}
    assert class_name(checkpoint).endswith("DenseModule")
    with pytest.raises(Exception, match="do not fit DenseModule"):
        network(checkpoint, tmp_path)
