from types import SimpleNamespace

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import FSDPStrategy, SingleDeviceStrategy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from lit_mnist.logs.net_graph import add_graph
from lit_mnist.models.nets import Dense


class Odd(nn.Linear):
    """Counts its calls and draws random numbers; with `fails`, cannot be traced."""

    def __init__(self, fails=False):
        super().__init__(28, 10)
        self.fails, self.calls = fails, 0

    def forward(self, images):
        self.calls += 1
        if self.fails:
            raise ZeroDivisionError("a fault of the net\nwith more to say")
        return super().forward(images) + torch.rand(1)


class Inner(LightningModule):
    """A net that is a LightningModule."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(28, 10)

    def forward(self, images):
        return self.layer(images)


def graph(folder, net, strategy=SingleDeviceStrategy, dtype=torch.float32):
    trainer = SimpleNamespace(strategy=object.__new__(strategy))
    with SummaryWriter(str(folder)) as writer:
        add_graph(writer, trainer, SimpleNamespace(net=net, dtype=dtype))
    return EventAccumulator(str(folder)).Reload()


def test_a_graph_names_the_layers(tmp_path):
    net = Dense()
    found = graph(tmp_path, net).Graph()
    assert any("Linear" in node.name for node in found.node)
    assert net.training


def test_tracing_leaves_the_net_unchanged(tmp_path, capsys):
    net, before = Odd(), torch.get_rng_state()
    assert graph(tmp_path, net).Tags()["graph"]
    assert net.calls == 0
    assert torch.equal(torch.get_rng_state(), before)
    assert capsys.readouterr() == ("", "")


def test_a_net_that_is_or_holds_a_lightning_module_is_traced(tmp_path, capsys):
    for name, net in (("is", Inner()), ("holds", nn.Sequential(nn.ReLU(), Inner()))):
        found = graph(tmp_path / name, net).Graph()
        assert any("Linear" in node.name for node in found.node)
    assert capsys.readouterr() == ("", "")


def test_a_net_that_cannot_be_traced_is_skipped_with_a_message(tmp_path, capsys):
    assert not graph(tmp_path, Odd(fails=True)).Tags()["graph"]
    output, problems = capsys.readouterr()
    assert output.splitlines() == [
        "TensorBoard shows no graph of the net, which cannot be traced: a fault of the net"
    ]
    assert not problems


def test_a_net_sharded_over_ranks_is_not_traced(tmp_path, capsys):
    net = Odd(fails=True)
    assert not graph(tmp_path, net, FSDPStrategy).Tags()["graph"]
    assert capsys.readouterr().out == ""


def test_a_net_in_another_precision_is_traced(tmp_path, capsys):
    net = nn.Linear(28, 10, dtype=torch.float64)
    assert graph(tmp_path, net, dtype=torch.float64).Tags()["graph"]
    assert capsys.readouterr().out == ""
