"""Classes of one name are told apart by their code."""

import sys
from types import ModuleType

import pytest
import torch

from lit_mnist.errors import UserError
from lit_mnist.models import definition
from lit_mnist.models.ensemble import EnsembleModule
from lit_mnist.models.modules import DenseModule

NET = """
from torch import nn
from lit_mnist.models.modules import ClassifierModule

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(784, 10)

    def forward(self, images):
        flat = images.flatten(1)
        return self.last(flat).relu()

class NetModule(ClassifierModule):
    net_type = Net
"""
OTHER = NET.replace("relu", "tanh")
SAME = {
    "a comment": NET.replace("        flat = ", "        # one row an image\n        flat = "),
    "another local name": NET.replace("flat ", "rows ").replace("flat)", "rows)"),
    "another recipe": f"{NET}\n    def configure_optimizers(self):\n        return None\n",
}


def defined(monkeypatch, source):
    """The NetModule of a project's net.py, which takes the place of another project's."""
    module = ModuleType("net")
    monkeypatch.setitem(sys.modules, "net", module)
    exec(source, vars(module))  # as an import would
    return module.NetModule


def save(path, kind, seed=0):
    torch.manual_seed(seed)
    module = kind()
    content = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    torch.save(content, path)
    return content


def test_members_of_two_projects_with_one_name_are_refused(here, monkeypatch):
    save("a.ckpt", defined(monkeypatch, NET))
    save("b.ckpt", defined(monkeypatch, OTHER), 1)
    with pytest.raises(UserError, match=r"^a\.ckpt: trained with another net\.Net than") as raised:
        EnsembleModule(["a.ckpt", "b.ckpt"]).configure_model()
    assert "\n" not in str(raised.value)
    save("a.ckpt", sys.modules["net"].NetModule)
    EnsembleModule(["a.ckpt", "b.ckpt"]).configure_model()


@pytest.mark.parametrize("source", SAME.values(), ids=SAME)
def test_what_changes_no_prediction_does_not_count(here, monkeypatch, source):
    content = save("a.ckpt", defined(monkeypatch, NET))
    assert content[definition.KEY][definition._PYTHON].keys() == {"net.Net", "net.NetModule"}
    assert definition.changed(content, defined(monkeypatch, source)()) == ""
    assert definition.changed(content, defined(monkeypatch, OTHER)()) == "net.Net"


@pytest.mark.parametrize("value", ["{{'units': {}}}", "frozenset({{5, {}}})"])
def test_constants_of_a_class_count(here, monkeypatch, value):
    content = save("a.ckpt", defined(monkeypatch, f"{NET}\n    sizes = {value.format(1)}\n"))
    changed = defined(monkeypatch, f"{NET}\n    sizes = {value.format(2)}\n")
    assert definition.changed(content, changed()) == "net.NetModule"


def test_of_older_files_and_other_versions_of_python_nothing_is_known(here, monkeypatch):
    module = defined(monkeypatch, OTHER)()
    content = save("a.ckpt", defined(monkeypatch, NET))
    hashes = content[definition.KEY].pop(definition._PYTHON)
    for known in (None, 3, {}, {"cpython-20": hashes}):
        assert definition.changed({definition.KEY: known}, module) == ""
    assert definition.fingerprint(DenseModule()) == {definition._PYTHON: {}}
