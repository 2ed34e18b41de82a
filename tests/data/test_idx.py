import os
import struct
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

from lit_mnist.data.idx import parse_idx, read_idx, write_idx
from lit_mnist.errors import UserError

in_tmp_path = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def idx_bytes(dtype_code, shape, values):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, dtype_code, len(shape), *shape) + values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some-idx-file"


def test_uint8_values_and_shape(path):
    path.write_bytes(idx_bytes(0x08, (2, 3), bytes([0, 1, 127, 128, 254, 255])))

    tensor = read_idx(path)

    assert tensor.dtype == torch.uint8
    assert tensor.tolist() == [[0, 1, 127], [128, 254, 255]]


def test_int32_is_big_endian_and_signed(path):
    path.write_bytes(idx_bytes(0x0C, (2, 2), struct.pack(">4i", 1, 256, -2, 2**31 - 1)))

    tensor = read_idx(path)

    assert tensor.dtype == torch.int32
    assert tensor.tolist() == [[1, 256], [-2, 2**31 - 1]]


@pytest.mark.parametrize(("code", "stored"), [(0x08, np.uint8), (0x0C, ">i4")])
def test_idx_files_are_read_as_by_torchvision(path, code, stored):
    values = np.random.default_rng(1).integers(0, 256, (4, 5, 6)).astype(stored)
    path.write_bytes(idx_bytes(code, values.shape, values.tobytes()))

    assert torch.equal(read_idx(path), read_sn3_pascalvincent_tensor(str(path)))


@pytest.mark.parametrize("code", [0x08, 0x0C])
def test_the_tensor_is_writable_without_a_warning(path, code):
    path.write_bytes(idx_bytes(code, (4,), bytes(4 if code == 0x08 else 16)))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = read_idx(path)
    tensor += 1

    assert tensor.tolist() == [1, 1, 1, 1]


def test_uint8_values_are_not_copied(path):
    data = np.frombuffer(bytearray(idx_bytes(0x08, (3,), b"abc")), np.uint8)

    parse_idx(data, path)[0] = 7

    assert data[-3] == 7


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        (b"", "nothing", "000008"),
        (b"\0\0\x08", "000008", "000008"),
        (b"\x1f\x8b\x08\x01" + bytes(12), "1f8b0801", "000008"),  # a .gz file
        (idx_bytes(0x0D, (1,), bytes(4)), "00000d01", "00000c"),  # float32
        (idx_bytes(0x08, (2, 2), b"")[:8], "8 bytes", "12"),
        (idx_bytes(0x08, (2, 2), bytes(3)), "15 bytes", "[2, 2] takes 16"),
        (idx_bytes(0x08, (2, 2), bytes(5)), "17 bytes", "[2, 2] takes 16"),
        (idx_bytes(0x0C, (2, 2), bytes(15)), "27 bytes", "[2, 2] takes 28"),
        (idx_bytes(0x08, (2**32 - 1,) * 3, bytes(9)), "25 bytes", str((2**32 - 1) ** 3 + 16)),
        (idx_bytes(0x08, (1,) * 65, bytes(1)), "dimensions", "64"),
        (idx_bytes(0x08, (0,) + (2**32 - 1,) * 3, b""), "dimensions", "too big"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_file_is_reported_with_found_and_expected_values(path, content, found, expected):
    path.write_bytes(content)

    with pytest.raises(UserError) as caught:
        read_idx(path)

    message = str(caught.value)
    assert str(path) in message
    assert found in message
    assert expected in message
    assert "\n" not in message


def test_a_missing_file_is_reported(path):
    with pytest.raises(UserError, match="some-idx-file is missing"):
        read_idx(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_idx(tmp_path)


def test_a_pipe_is_refused(path):
    os.mkfifo(path)
    with pytest.raises(UserError, match="not a file, but a pipe or a device"):
        read_idx(path)  # and does not wait for somebody to write into it


def test_content_larger_than_memory_is_not_read(path):
    path.write_bytes(idx_bytes(0x08, (2**32 - 1,), b""))
    os.truncate(path, 2**40)  # of which the disk holds one block
    with pytest.raises(UserError, match="holds 1,099,511,627,776 bytes"):
        read_idx(path)


def test_written_bytes_are_as_specified(path):
    write_idx(path, torch.tensor([[1, 2, 3], [4, 5, 6]], dtype=torch.uint8).T)

    assert path.read_bytes() == idx_bytes(0x08, (3, 2), bytes([1, 4, 2, 5, 3, 6]))


def test_only_uint8_is_written(path):
    with pytest.raises(TypeError, match=r"not torch\.int64"):
        write_idx(path, torch.zeros(3, dtype=torch.int64))
    assert not path.exists()


@in_tmp_path
@given(shape=st.lists(st.integers(0, 5), max_size=5), seed=st.integers(0, 99))
def test_written_files_can_be_read(path, shape, seed):
    tensor = torch.randint(
        0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )

    write_idx(path, tensor)

    read = read_idx(path)
    assert read.shape == tensor.shape
    assert torch.equal(read, tensor)


def header_like():
    """Bytes that start like a header, so that the deeper checks are reached."""
    return st.builds(
        lambda code, sizes, claimed, rest: (
            bytes([0, 0, code, claimed])
            + b"".join(size.to_bytes(4, "big") for size in sizes)
            + rest
        ),
        st.sampled_from([0x08, 0x0C]),
        st.lists(st.sampled_from([0, 1, 2, 3, 2**16, 2**32 - 1]), max_size=4),
        st.integers(0, 5) | st.integers(0, 255),
        st.binary(max_size=40),
    )


@settings(max_examples=500)
@given(content=st.binary(max_size=60) | header_like())
def test_any_bytes_are_read_in_full_or_refused(content):
    data = np.frombuffer(bytearray(content), np.uint8)
    try:
        tensor = parse_idx(data, "file")
    except UserError:
        return
    header = 4 + 4 * content[3]
    values = tensor.numpy().astype(">i4" if content[2] == 0x0C else "u1").tobytes()
    assert content[header:] == values
