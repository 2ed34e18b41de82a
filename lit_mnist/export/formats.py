"""The formats of a model file, importable without torch for the command line."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from lit_mnist.errors import UserError


class Format(NamedTuple):
    """A format of model files.

    Attributes:
        suffix: Suffix of the file's name.
        packages: Packages needed to write and check a file.
    """

    suffix: str
    packages: tuple[str, ...] = ()


FORMATS = {
    "onnx": Format(".onnx", ("onnx", "onnxscript", "onnxruntime")),
    "pt2": Format(".pt2"),
    "safetensors": Format(".safetensors", ("safetensors",)),
}
# Types of pixels and the range of their values
PIXELS = {"uint8": "0 to 255", "float32": "0 to 1"}
INPUT, OUTPUT = "images", "probabilities"


def require(name: str) -> None:
    """Checks that the packages of a format are installed.

    Raises:
        UserError: A package is missing; the message has the command that installs it.
    """
    packages = FORMATS[name].packages
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise UserError(
            f"the format {name} needs {' and '.join(missing)}: pip install {' '.join(missing)}"
        )


def format_module(name: str) -> Any:
    """Imports the module of a format, and thus the format's packages.

    Raises:
        UserError: A package is broken, or its version is incompatible with the others.
    """
    packages = FORMATS[name].packages
    try:
        for package in packages:  # torch imports some as late as at the export
            import_module(package)
        return import_module(f"lit_mnist.export.{name}_file")
    except ImportError as error:
        raise UserError(
            f"the format {name} needs packages that cannot be imported ({error!s:.120}):"
            f" pip install --force-reinstall {' '.join(packages)}"
        ) from error
