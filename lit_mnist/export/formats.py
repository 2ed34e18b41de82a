"""The formats of a model file, known to the command line without torch."""

from importlib.util import find_spec
from typing import NamedTuple

from lit_mnist.errors import UserError


class Format(NamedTuple):
    """A kind of model file.

    Attributes:
        suffix: Of the file's name.
        packages: What must be installed to write and to check it.
    """

    suffix: str
    packages: tuple[str, ...] = ()


FORMATS = {
    "onnx": Format(".onnx", ("onnx", "onnxscript", "onnxruntime")),
    "pt2": Format(".pt2"),
    "safetensors": Format(".safetensors", ("safetensors",)),
}
# What an image's pixels are: the range of their values
PIXELS = {"uint8": "0 to 255", "float32": "0 to 1"}
INPUT, OUTPUT = "images", "probabilities"


def require(name: str) -> None:
    """Makes sure that a format can be written and read here.

    Raises:
        UserError: A package is missing; the message has the line that installs it.
    """
    missing = [package for package in FORMATS[name].packages if find_spec(package) is None]
    if missing:
        raise UserError(
            f"the format {name} needs {' and '.join(missing)}: pip install {' '.join(missing)}"
        )
