"""The IDX file format: bytes to tensors and back.

A file is the magic number 0, 0, type, number of dimensions; then each dimension as a big-endian
uint32; then the values, big-endian, last dimension fastest.
Source: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
"""

import math
import stat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lit_mnist.errors import UserError

MAX_BYTES = 1 << 30  # the largest of the family, EMNIST's training images, has 188 MB
DTYPES: dict[int, np.dtype[Any]] = {0x08: np.dtype("u1"), 0x0C: np.dtype(">i4")}


def read_idx(path: Path) -> torch.Tensor:
    """Reads an unpacked IDX file.

    Args:
        path: The file; its values are of type uint8 (0x08) or int32 (0x0C).

    Returns:
        A writable uint8 or int32 tensor of the shape that the header gives.

    Raises:
        UserError: The file cannot be read, or its size or type contradicts its header.
    """
    return parse_idx(read_bytes(path), path)


def read_bytes(path: Path) -> NDArray[np.uint8]:
    """Reads a whole file into memory that tensors can share.

    Returns:
        Writable uint8 array (size of the file,).

    Raises:
        UserError: The file is missing or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise UserError(f"{path} cannot be read: it is not a file, but a pipe or a device")
        if status.st_size > MAX_BYTES:
            raise UserError(f"{path} holds {status.st_size:,} bytes, more than any IDX file has")
        return np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def parse_idx(data: NDArray[np.uint8], path: Path) -> torch.Tensor:
    """Parses the bytes of an IDX file.

    Args:
        data: uint8 array (size of the file,); a uint8 tensor shares its memory.
        path: The file that the bytes come from, for error messages.

    Returns:
        uint8 or int32 tensor of the shape that the header gives.

    Raises:
        UserError: The size or type of the bytes contradicts the header.
    """
    magic = data[:4].tobytes()
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES:
        raise UserError(
            f"{path} is not an IDX file of uint8 or int32: it starts with "
            f"{magic.hex() or 'nothing'}, not with 000008 or 00000c"
        )
    dtype, ndim = DTYPES[magic[2]], magic[3]
    header = 4 + 4 * ndim
    if len(data) < header:
        raise UserError(f"{path} holds {len(data)} bytes, but its header takes {header}")
    shape = data[4:header].view(">u4").tolist()
    expected = header + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise UserError(f"{path} holds {len(data)} bytes, but its header {shape} takes {expected}")
    values = data[header:].view(dtype)
    native = values.astype(dtype.newbyteorder("="), copy=False)
    try:
        return torch.from_numpy(native.reshape(shape))
    except ValueError as error:  # more than NumPy's 64 dimensions, or 0 x 2^32 x 2^32
        raise UserError(f"{path} has dimensions {shape}: {error}") from None


def write_idx(path: Path, tensor: torch.Tensor) -> None:
    """Writes a uint8 tensor of any shape as an IDX file."""
    if tensor.dtype != torch.uint8:
        raise TypeError(f"IDX files are written as uint8, not {tensor.dtype}")
    header = bytes([0, 0, 0x08, tensor.ndim]) + np.array(tensor.shape, ">u4").tobytes()
    with path.open("wb") as file:
        file.write(header)
        file.write(tensor.contiguous().numpy().data)
