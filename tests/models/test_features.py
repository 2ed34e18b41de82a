"""The features of any net, captured by hooks."""

import copy
import pickle
import threading

import pytest
import torch
from torch import nn

from lit_mnist.models import DeepConv, Dense, SimpleConvModule
from lit_mnist.models.features import Features

pytestmark = pytest.mark.usefixtures("full_size")  # 256 features of each

IMAGES = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_features_are_the_inputs_of_each_net_s_last_linear_layer():
    nets = [Dense().eval(), DeepConv().eval()]
    features = Features(nets)
    with torch.no_grad():
        for batch in IMAGES.split(4):
            for net in nets:
                net(batch)
        without_last = [nn.Sequential(*list(net)[:-1]) for net in nets]
        expected = torch.cat([net(IMAGES) for net in without_last], dim=1)

    assert features.widths == [256, 256]
    torch.testing.assert_close(features.take(6), expected)
    assert features.take(0).shape == (0, 0)


def test_with_shifts_features_are_those_of_the_unshifted_image():
    module = SimpleConvModule(shifts=True).eval()
    plain = Features([module.net])
    module.net(IMAGES)
    expected = plain.take(6)
    plain.remove()

    features = Features([module])
    module(IMAGES)
    torch.testing.assert_close(features.take(6), expected)


def test_features_of_nets_run_on_some_images_are_in_their_rows():
    nets = [Dense().eval(), Dense().eval()]
    features = Features(nets)
    for net in nets:
        net(IMAGES)
    first, second = features.take(6).split(256, dim=1)

    by = torch.tensor([[True, False], [False, True]] * 3)
    for net, own in zip(nets, by.T, strict=True):
        net(IMAGES[own])
    expected = torch.where(by[:, :1], first, second)
    torch.testing.assert_close(features.take(6, by), expected, rtol=1e-4, atol=1e-5)
    for net in nets:
        net(IMAGES)
    assert features.take(6, by).shape == (6, 0)


class SomeOrNone(nn.Module):
    """Passes a given number of images through its last layer."""

    def __init__(self, count):
        super().__init__()
        self.count, self.head = count, nn.Linear(784, 10)

    def forward(self, images):
        return self.head(images[: self.count].flatten(1)) if self.count else torch.zeros(1)


def test_a_net_without_a_suitable_linear_layer_has_no_features():
    for net in (nn.Conv2d(1, 1, 3), SomeOrNone(0), SomeOrNone(2)):
        features = Features([Dense().eval(), net])
        for one in (Dense(), net):
            one(IMAGES)
        assert features.take(6).shape == (6, 0)
    assert Features([nn.Conv2d(1, 1, 3)]).widths == []


def test_removed_hooks_capture_nothing_and_threads_are_separate():
    net = Dense().eval()
    features = Features([net])
    other = threading.Thread(target=net, args=(IMAGES[:2],))
    other.start()
    other.join()
    assert features.take(2).shape == (2, 0)
    features.remove()
    net(IMAGES)
    assert features.take(6).shape == (6, 0)


def test_a_compiled_net_runs_as_it_is_written_until_they_are_removed():
    net = Dense().eval()
    plain = Features([net])
    net(IMAGES)
    expected = plain.take(6)
    plain.remove()
    forward = net.forward
    net._compiled_call_impl = compiled = lambda images: forward(images)  # calls no hook of the net

    features = Features([net])
    net(IMAGES)
    torch.testing.assert_close(features.take(6), expected)
    features.remove()
    assert net._compiled_call_impl is compiled


class Embedding(nn.Sequential):
    """Its forward gives an embedding; whoever calls it has the last layer classify it."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(784, 32), nn.Tanh())
        self.head = nn.Linear(32, 10)

    def forward(self, images):
        for part in list(self)[:3]:
            images = part(images)
        return images


def test_features_of_a_batch_are_never_taken_for_those_of_the_next():
    net = Embedding()
    features = Features([net])
    for batch in IMAGES.split(3):
        net.head(net(batch))  # the last layer is called after forward
        assert features.take(len(batch)).shape == (3, 0)


def test_what_a_call_has_left_that_an_error_ended_can_be_dropped():
    net = Dense().eval()
    features = Features([net])
    net(IMAGES)
    expected = features.take(6)
    net(IMAGES[:2])
    features.clear()
    net(IMAGES)
    assert torch.equal(features.take(6), expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_capture_the_features_of_the_copied_nets(copied):
    net = Dense().eval()
    features = Features([net])
    net(IMAGES)
    other_net, other = copied((net, features))
    expected = features.take(6)
    other_net(IMAGES)
    assert features.take(6).shape == (6, 0)
    assert torch.equal(other.take(6), expected)
