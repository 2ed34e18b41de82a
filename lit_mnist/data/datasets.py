"""The datasets of the MNIST family: files, sources and class names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from lit_mnist.shape import CLASSES

Dataset = Literal["MNIST", "FashionMNIST", "KMNIST", "EMNIST", "QMNIST"]
SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset in torchvision's layout on disk.

    Attributes:
        name: Name of the dataset and of torchvision's class for it.
        files: For each split, its images file and its labels file.
        sha256: SHA-256 of each unpacked file, where known in advance.
        transposed: Whether rows and columns of the stored images are swapped.
        classes: What the ten classes are called, as in torchvision; empty where they are digits.
    """

    name: str
    files: Mapping[SplitName, tuple[str, str]]
    sha256: Mapping[str, str] = field(default_factory=dict)
    transposed: bool = False
    classes: tuple[str, ...] = ()

    def folder(self, data_dir: Path) -> Path:
        """The folder in which torchvision expects the unpacked files."""
        return data_dir / self.name / "raw"

    @property
    def all_files(self) -> tuple[str, ...]:
        """The four file names, those of the training split first."""
        return (*self.files["train"], *self.files["test"])


IDX_FILES: dict[SplitName, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
EMNIST_FILES: dict[SplitName, tuple[str, str]] = {
    "train": ("emnist-digits-train-images-idx3-ubyte", "emnist-digits-train-labels-idx1-ubyte"),
    "test": ("emnist-digits-test-images-idx3-ubyte", "emnist-digits-test-labels-idx1-ubyte"),
}
QMNIST_FILES: dict[SplitName, tuple[str, str]] = {
    "train": ("qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int"),
    "test": ("qmnist-test-images-idx3-ubyte", "qmnist-test-labels-idx2-int"),
}
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
KMNIST_CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

DATASETS = {
    "MNIST": DatasetSpec("MNIST", IDX_FILES, MNIST_SHA256),
    "FashionMNIST": DatasetSpec("FashionMNIST", IDX_FILES, classes=FASHION_CLASSES),
    "KMNIST": DatasetSpec("KMNIST", IDX_FILES, classes=KMNIST_CLASSES),
    "EMNIST": DatasetSpec("EMNIST", EMNIST_FILES, transposed=True),  # its `digits` split
    "QMNIST": DatasetSpec("QMNIST", QMNIST_FILES),
}


# Those whose classes are the digits 0 to 9
DIGITS = tuple(name for name, spec in DATASETS.items() if not spec.classes)


class Archive(NamedTuple):
    """A compressed file on the mirrors: the .gz of one file, or EMNIST's .zip of many.

    Attributes:
        urls: Its addresses, in order of preference.
        md5: MD5 of the compressed file, in hex.
        files: Names of the unpacked files that it holds.
    """

    urls: list[str]
    md5: str
    files: tuple[str, ...]


def archives(spec: DatasetSpec) -> list[Archive]:
    """Lists a dataset's archives with torchvision's mirrors and hashes, which are kept up to date.

    Source: `torchvision.datasets.mnist`, class attributes `mirrors`, `resources`, `url` and `md5`.
    """
    from torchvision.datasets import mnist  # takes a second, and only a download needs it

    source = getattr(mnist, spec.name)
    if spec.name == "EMNIST":
        return [Archive([source.url], source.md5, spec.all_files)]
    if spec.name == "QMNIST":
        resources = [*source.resources["train"], *source.resources["test"]]
        return [Archive([url], md5, (_unpacked(url),)) for url, md5 in resources]
    return [
        Archive([mirror + name for mirror in source.mirrors], md5, (_unpacked(name),))
        for name, md5 in source.resources
    ]


def _unpacked(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".gz")


def class_names(dataset: str) -> list[str] | None:
    """Returns the names of the ten classes; None where they are digits."""
    return list(DATASETS[dataset].classes) or None


def labels(dataset: str) -> list[str]:
    """Returns the names of the ten classes: "0" to "9" for datasets of digits."""
    return class_names(dataset) or [str(digit) for digit in range(CLASSES)]
