"""Files of torch.save that claim more memory than they hold."""

import zipfile

import pytest
import torch
from torch import nn

from lit_mnist.runs.safe_torch import MAX_DEPTH, RefusedError, load


def saved(path, content):
    torch.save(content, path)
    return path


def repacked(path, change, compression=zipfile.ZIP_STORED):
    """Rewrites the archive; `change` maps an entry's name and bytes to new bytes."""
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(name, data))
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some.ckpt"


def test_plain_values_and_tensors_are_preserved(file):
    weights = nn.Linear(3, 2).state_dict()
    content = {"a": weights, "b": [1, 2.5, None, True, "x", (1, 2)], "c": torch.Size([3])}
    content |= {"d": torch.float32, "e": {3}, "half": torch.ones(2, dtype=torch.bfloat16)}
    content |= {"shared": [weights["weight"].T, weights["weight"][1:]], "p": nn.Linear(1, 1).weight}
    read = load(saved(file, content))
    assert read["b"] == content["b"]
    assert read["c"] == content["c"]
    for name, value in weights.items():
        assert torch.equal(read["a"][name], value)
    assert torch.equal(read["shared"][0], weights["weight"].T)


def test_a_flipped_bit_in_any_number_is_noticed(file):
    """Which torch.load reads without a word."""
    saved(file, {"weight": torch.rand(30), "moment": torch.rand(5, dtype=torch.float64)})
    sound = file.read_bytes()
    for values in (torch.load(file)["weight"], torch.load(file)["moment"]):
        place = sound.index(values.numpy().tobytes())
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        torch.load(file)
        with pytest.raises(RefusedError, match=r"the checksum of some/data/\d in it differs"):
            load(file)


def test_a_small_archive_that_unpacks_to_gigabytes_is_refused_unread(file):
    saved(file, {"a": torch.zeros(2_000_000)})
    repacked(file, lambda _, data: data, zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 20_000
    with pytest.raises(RefusedError, match="compressed"):
        load(file)


def test_overlapping_archive_entries_are_refused(file):
    saved(file, {"a": torch.zeros(1000), "b": torch.ones(1000)})
    raw = bytearray(file.read_bytes())
    start = raw.find(b"PK\1\2")  # the directory; each entry's two sizes lie 20 bytes into it
    while start >= 0:
        raw[start + 20 : start + 28] = (60_000).to_bytes(4, "little") * 2
        start = raw.find(b"PK\1\2", start + 1)
    file.write_bytes(raw)
    with pytest.raises(RefusedError, match="claims"):
        load(file)


def test_a_tensor_larger_than_its_storage_is_refused(file):
    with pytest.raises(RefusedError, match=r"only a part of a tensor \(1000000, 1000000\)"):
        load(saved(file, {"a": torch.zeros(1).expand(10**6, 10**6)}))


class Call:
    """An object whose pickle calls `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Call(bytearray, 10**9), "bytearray"),
        (Call(torch.Tensor, 10**9), "Tensor"),
        (b"bytes", "_codecs.encode"),
        (torch.zeros(2, device="meta"), "meta"),
        (torch.eye(2).to_sparse(), "sparse"),
        (nn.Linear(1, 1), "Linear"),
        (Call(print, "ran"), "print"),
    ],
    ids=["bytearray", "Tensor", "bytes", "meta", "sparse", "Linear", "print"],
)
def test_foreign_names_in_the_pickle_are_refused_unread(file, capsys, value, named):
    with pytest.raises(RefusedError, match=f"it names .*{named}"):
        load(saved(file, {"a": value}))
    assert capsys.readouterr().out == ""


def test_a_storage_allocated_by_the_pickle_is_refused(file):
    with pytest.raises(RefusedError, match="UntypedStorage"):
        load(saved(file, {"a": Call(torch.UntypedStorage, 10**6)}))


def test_a_storage_that_claims_more_than_is_stored_is_refused(file):
    saved(file, {"a": torch.zeros(200, dtype=torch.uint8)})
    more = pickletools_int(250)
    repacked(file, lambda name, data: data.replace(pickletools_int(200), more))
    with pytest.raises(Exception, match=r"size|shape|storage|bytes|part"):
        load(file)


def pickletools_int(number):
    """How pickle writes a small number."""
    return b"K" + bytes([number])


def test_deep_nesting_is_refused(file):
    def nested(depth):
        content = []
        for _ in range(depth):
            content = [content]
        return content

    load(saved(file, nested(MAX_DEPTH - 1)))
    with pytest.raises(RefusedError, match="nested"):
        load(saved(file, nested(MAX_DEPTH)))


def test_shared_lists_are_checked_once(file):
    content = [1.5]
    for _ in range(40):
        content = [content, content]
    assert load(saved(file, content))


def test_a_large_pickle_is_refused_unread(file):
    saved(file, {"a": 1})
    repacked(file, lambda name, data: data + bytes(2**25) if name.endswith("data.pkl") else data)
    with pytest.raises(RefusedError, match="are not numbers"):
        load(file)


def test_content_larger_than_memory_is_not_read(file):
    saved(file, {"a": 1})
    with file.open("r+b") as content:  # of which the disk holds some blocks
        content.truncate(2**40)
    with pytest.raises(RefusedError, match="1,099,511,627,776 bytes"):
        load(file)
