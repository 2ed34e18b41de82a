"""Loads files of `torch.save` without trusting them.

`weights_only=True` keeps a file from running code, but not a small file from filling the memory. So
the file is inspected first: `torch.save` does not compress, so what a file claims to hold must not
be larger than the file.
"""

import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MAX_BYTES = 1 << 32  # a checkpoint of this program has up to 11 MB
MAX_DEPTH = 64  # of nesting; a checkpoint of this program has 8
MAX_PICKLE_BYTES = 1 << 25  # everything but the numbers; a checkpoint of this program has 6 KB
# Names that a file may use. Of those that `weights_only=True` allows, `bytearray`,
# `_codecs.encode` and the tensor types are left out: a few bytes make them allocate any memory.
_NAMES = re.compile(
    r"(builtins|__builtin__) (set|complex)|collections (OrderedDict|Counter)"
    r"|torch (\w+Storage|Size|device|bool|b?float\d+|u?int\d+)|torch\.storage UntypedStorage"
    r"|torch\._utils _rebuild_(tensor_v2|tensor_v3|parameter)|torch\.nn\.parameter Parameter"
)
_PLAIN = (type(None), bool, int, float, complex, str, torch.Size, torch.device, torch.dtype)


class RefusedError(Exception):
    """The file is not one that this program writes with `torch.save`; the message says why."""


def load(path: Path) -> Any:
    """Loads a file to the CPU: tensors and plain values, none larger than the file.

    Raises:
        RefusedError: The file claims or names something that it must not.
        Exception: The file is damaged; any layer of zip, pickle and torch may raise.
    """
    size = path.stat().st_size
    check_archive(path, size)
    with warnings.catch_warnings(action="ignore"):  # about formats, which are refused anyway
        content = torch.load(path, map_location="cpu", weights_only=True)
    check_content(content)
    return content


def check_archive(path: Path, size: int) -> None:
    """Checks the file's structure and checksums, piece by piece, without loading its numbers.

    Raises:
        RefusedError: Its parts are compressed or overlap, it names something that it must not, or
            its bytes are not those that were written.
    """
    if size > MAX_BYTES:
        raise RefusedError(f"it has {size:,} bytes")
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise RefusedError("its parts are compressed, which torch never does")
        claimed = sum(max(part.file_size, part.compress_size) for part in parts)
        if claimed > size:
            raise RefusedError(f"it claims {claimed:,} bytes and has {size:,}")
        for part in parts:
            if part.filename.rpartition("/")[2] == "data.pkl":
                if part.file_size > MAX_PICKLE_BYTES:
                    raise RefusedError(f"{part.file_size:,} bytes of it are not numbers")
                _check_names(archive.read(part))
        if damaged := archive.testzip():  # torch.load does not compare the checksums
            raise RefusedError(f"the checksum of {damaged:.99} in it differs")


def _check_names(pickled: bytes) -> None:
    for opcode, name, _ in pickletools.genops(pickled):
        if opcode.name in ("GLOBAL", "INST", "STACK_GLOBAL") and not _NAMES.fullmatch(str(name)):
            named = ".".join(str(name).split())
            raise RefusedError(f"it names {named:.99}, which no checkpoint needs")


def check_content(content: Any) -> None:
    """Checks the loaded content.

    Raises:
        RefusedError: It is nested too deeply, holds something other than plain values and dense
            tensors, or a tensor larger than its storage.
    """
    seen: set[int] = set()
    level = [content]
    for _ in range(MAX_DEPTH):
        level = [value for value in level if not (id(value) in seen or seen.add(id(value)))]  # type: ignore[func-returns-value] # that is the point
        for value in level:
            if isinstance(value, Tensor):
                _check_tensor(value)
        level = [part for value in level for part in _parts(value)]
        if not level:
            return
    raise RefusedError(f"it is nested more than {MAX_DEPTH} deep")


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set)) and not isinstance(value, torch.Size):
        return value
    if isinstance(value, (Tensor, *_PLAIN)):
        return ()
    raise RefusedError(f"it holds a {type(value).__name__}")


def _check_tensor(tensor: Tensor) -> None:
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise RefusedError("it holds a tensor without plain numbers")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise RefusedError(f"it stores only a part of a tensor {tuple(tensor.shape)}")
