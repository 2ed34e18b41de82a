"""What Lightning is imported without."""

import subprocess
import sys
from pathlib import Path

import torchmetrics

CODE = """
import sys
from lit_mnist.main import main
assert main(["fit", "--model", "nonsense"]) == 2
assert "lightning.pytorch" in sys.modules
assert not {"torchvision", "scipy.signal"} & sys.modules.keys()
from torchmetrics.utilities.imports import _SCIPY_AVAILABLE, _TORCHVISION_AVAILABLE
assert _SCIPY_AVAILABLE and _TORCHVISION_AVAILABLE
from lightning_utilities.core.imports import package_available
assert package_available("scipy")
"""


def test_a_command_does_without_torchvision_and_finds_it_afterwards():
    subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, timeout=300)


def test_upstream_still_imports_what_is_installed():
    package = Path(torchmetrics.__file__)
    arniqa = package.parent / "functional" / "image" / "arniqa.py"
    assert "import scipy.signal" in package.read_text()
    assert "if _TORCHVISION_AVAILABLE:\n    from torchvision" in arniqa.read_text()
