"""Reads a split of a dataset from disk and checks its files."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from lit_mnist.data.datasets import DatasetSpec, SplitName
from lit_mnist.data.idx import parse_idx, read_bytes
from lit_mnist.errors import UserError
from lit_mnist.files import write_text
from lit_mnist.shape import CLASSES, SIDE_PX

MANIFEST = "SHA256SUMS"
_OR = ", or remove the file so that the original is fetched"


class Split(NamedTuple):
    """The training or the test images of a dataset.

    Attributes:
        images: uint8 (N, 28, 28), 0 to 255, upright.
        labels: int64 (N,), 0 to 9.
        sha256: Hash of the data: hex SHA-256 of the concatenated hex SHA-256 of the images file
            and the labels file.
    """

    images: torch.Tensor
    labels: torch.Tensor
    sha256: str


class UnusableError(Exception):
    """Files of a split are missing or damaged.

    Attributes:
        faults: What is wrong with each file, by its name; never empty.
    """

    def __init__(self, faults: Mapping[str, str]) -> None:
        """Joins all faults to one line."""
        super().__init__(" and ".join(faults.values()))
        self.faults = faults


def read_split(spec: DatasetSpec, split: SplitName, folder: Path) -> Split:
    """Reads the two files of a split and checks their hashes and contents.

    Args:
        spec: The dataset.
        split: "train" or "test".
        folder: The folder of the files; the other split's files are not opened.

    Raises:
        UnusableError: One file or both are missing or damaged.
        UserError: A file is sound but holds other images or classes than this program reads, or
            the manifest of hashes cannot be read.
    """
    known = known_hashes(spec, folder)
    tensors, digests, faults = [], [], {}
    for name, decode in zip(spec.files[split], (_images, _labels), strict=True):
        path = folder / name
        try:
            data = read_bytes(path)
            digest = hashlib.sha256(data.data).hexdigest()
            if digest != known.get(name, digest):
                raise UserError(f"{path} is damaged: its SHA-256 is {digest}, not {known[name]}")
            stored = parse_idx(data, path)
        except UserError as error:
            faults[name] = str(error)
            continue
        # not among the faults: what is no damage is a user's own, and no download may replace it
        tensors.append(decode(stored, path))
        digests.append(digest)
    if faults:
        raise UnusableError(faults)
    images, labels = tensors
    if len(images) != len(labels):
        raise UnusableError(_count_faults(spec.files[split], folder, len(images), len(labels)))
    if spec.transposed:
        images = images.transpose(1, 2).contiguous()
    return Split(images, labels, _joined(digests))


def files_sha256(spec: DatasetSpec, split: SplitName, folder: Path) -> str:
    """Computes `Split.sha256` without decoding the files; empty if one is missing."""
    paths = [folder / name for name in spec.files[split]]
    if not all(path.is_file() for path in paths):
        return ""
    return _joined(_file_sha256(path, *_state(path)) for path in paths)


def _state(path: Path) -> tuple[int, ...]:
    """Returns what changes whenever a file is written or replaced."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@lru_cache
def _file_sha256(path: Path, *_: int) -> str:
    """Hashes a file, once for all members of a committee while its `_state` is the same."""
    return hashlib.sha256(read_bytes(path).data).hexdigest()


def _joined(digests: Iterable[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def known_hashes(spec: DatasetSpec, folder: Path) -> Mapping[str, str]:
    """Returns the SHA-256 that each file must have: known in advance, or recorded at download.

    A file without an entry was put there by the user.
    """
    manifest = folder / MANIFEST
    if spec.sha256 or not manifest.is_file():
        return spec.sha256
    lines = read_bytes(manifest).tobytes().decode(errors="replace")
    return {name: digest for digest, name in re.findall(r"(?m)^([0-9a-f]{64})  (.+)$", lines)}


def note_hash(spec: DatasetSpec, folder: Path, name: str, digest: str) -> None:
    """Records a downloaded file's SHA-256 in the folder, in the format of `sha256sum`."""
    if name not in spec.sha256:
        hashes = {**known_hashes(spec, folder), name: digest}
        lines = [f"{digest}  {name}\n" for name, digest in sorted(hashes.items())]
        write_text(folder / MANIFEST, "".join(lines))


def _images(stored: torch.Tensor, path: Path) -> torch.Tensor:
    if stored.numel() == 0:
        raise UserError(f"{path} holds no images; give grey ones, uint8 (N, 28, 28){_OR}")
    if stored.dtype != torch.uint8 or stored.shape[1:] != (SIDE_PX, SIDE_PX):
        raise UserError(
            f"{path} holds {_kind(stored)}, not uint8 images (N, 28, 28); give grey ones of that"
            f" size{_OR}"
        )
    return stored


def _labels(stored: torch.Tensor, path: Path) -> torch.Tensor:
    """Converts labels, uint8 (N,) or QMNIST's int32 (N, 8) with the class first, to int64 (N,)."""
    if stored.dtype == torch.int32 and stored.shape[1:] == (8,):
        stored = stored[:, 0]
    elif stored.dtype != torch.uint8 or stored.ndim != 1:
        raise UserError(
            f"{path} holds {_kind(stored)}, not uint8 labels (N,); give classes 0 to 9{_OR}"
        )
    labels = stored.long()
    wrong = labels[(labels < 0) | (labels >= CLASSES)]
    if len(wrong):
        raise UserError(
            f"{path} holds the label {int(wrong[0])}, not only 0 to 9; give classes 0 to 9{_OR}"
        )
    return labels


def _kind(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _count_faults(names: tuple[str, str], folder: Path, images: int, labels: int) -> dict[str, str]:
    """Reports both files of a pair whose counts differ: either may be the damaged one."""
    images_file, labels_file = names
    return {
        images_file: f"{folder / images_file} holds {images} images for {labels} labels",
        labels_file: f"{folder / labels_file} holds {labels} labels for {images} images",
    }
