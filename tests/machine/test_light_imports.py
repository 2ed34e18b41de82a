"""Packages that are hidden while Lightning is imported."""

import importlib
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torchmetrics

from lit_mnist.machine import light_imports
from lit_mnist.main import main
from tests import warm
from tests.conftest import small_run

# In a fork of the server of `tests.warm`, which imports Lightning as the program does
CODE = """
import sys
from lit_mnist.main import main
assert main(["fit", *sys.argv[1:]]) == 0
assert "lightning.pytorch" in sys.modules
assert not {"torchvision", "scipy.signal"} & sys.modules.keys()
from torchmetrics.utilities.imports import _SCIPY_AVAILABLE, _TORCHVISION_AVAILABLE
assert _SCIPY_AVAILABLE and _TORCHVISION_AVAILABLE
from lightning_utilities.core.imports import package_available
assert package_available("scipy")
"""


def test_torchvision_is_hidden_during_import_and_available_afterwards(here, small_data):
    Path("script.py").write_text(CODE)
    short = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1")
    status, _, problems = warm.run(["script.py", *small_run(small_data, "dense"), *short])
    assert status == 0, problems


def test_the_program_imports_commands_lightly_before_running_them(monkeypatch):
    events = []

    @contextmanager
    def noted():
        events.append("light")
        yield
        events.append("as usual")

    def import_module(name):
        events.append(name)
        return SimpleNamespace(run=events.append)

    monkeypatch.setattr(light_imports, "light_imports", noted)
    monkeypatch.setattr(importlib, "import_module", import_module)
    assert main(["fit", "--name", "a"]) == 0
    command = "lit_mnist.commands.run_cli"
    assert events == ["light", command, "as usual", ["fit", "--name", "a"]]


def test_upstream_still_imports_torchvision_if_installed():
    package = Path(torchmetrics.__file__)
    arniqa = package.parent / "functional" / "image" / "arniqa.py"
    assert "import scipy.signal" in package.read_text()
    assert "if _TORCHVISION_AVAILABLE:\n    from torchvision" in arniqa.read_text()
