"""What Lightning is imported without."""

import importlib
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torchmetrics

from lit_mnist.main import main
from lit_mnist.training import light_imports
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


def test_a_run_does_without_torchvision_and_finds_it_afterwards(here, small_data):
    Path("script.py").write_text(CODE)
    short = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1")
    status, _, problems = warm.run(["script.py", *small_run(small_data, "dense"), *short])
    assert status == 0, problems


def test_the_program_imports_a_command_in_this_way_and_runs_it_afterwards(monkeypatch):
    happened = []

    @contextmanager
    def noted():
        happened.append("light")
        yield
        happened.append("as usual")

    def import_module(name):
        happened.append(name)
        return SimpleNamespace(run=happened.append)

    monkeypatch.setattr(light_imports, "light_imports", noted)
    monkeypatch.setattr(importlib, "import_module", import_module)
    assert main(["fit", "--name", "a"]) == 0
    command = "lit_mnist.commands.run_cli"
    assert happened == ["light", command, "as usual", ["fit", "--name", "a"]]


def test_upstream_still_imports_what_is_installed():
    package = Path(torchmetrics.__file__)
    arniqa = package.parent / "functional" / "image" / "arniqa.py"
    assert "import scipy.signal" in package.read_text()
    assert "if _TORCHVISION_AVAILABLE:\n    from torchvision" in arniqa.read_text()
