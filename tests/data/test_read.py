import hashlib

import numpy as np
import pytest
import torch
from torchvision import datasets

from lit_mnist.data import download
from lit_mnist.data.datasets import DATASETS, archives
from lit_mnist.data.read import UnusableError, files_sha256, note_hash, read_split
from lit_mnist.errors import UserError
from tests.small_sets import COUNTS, idx, images, labels, place, sha256, small_files

FASHION = DATASETS["FashionMNIST"]
IMAGES, LABELS = FASHION.files["train"]


def open_with_torchvision(dataset, root, part):
    extra = {"split": "digits"} if dataset == "EMNIST" else {}
    return getattr(datasets, dataset)(root, train=part == "train", download=False, **extra)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("dataset", ["FashionMNIST", "KMNIST", "EMNIST", "QMNIST"])
def test_reads_the_same_data_as_torchvision(tmp_path, dataset, part):
    spec = DATASETS[dataset]
    place(small_files(dataset), spec.folder(tmp_path))

    read = read_split(spec, part, spec.folder(tmp_path))

    theirs = open_with_torchvision(dataset, tmp_path, part)
    upright = theirs.data.transpose(1, 2) if dataset == "EMNIST" else theirs.data
    classes = theirs.targets[:, 0] if dataset == "QMNIST" else theirs.targets
    assert (read.images.dtype, read.labels.dtype) == (torch.uint8, torch.int64)
    assert read.images.shape == (COUNTS[part], 28, 28)
    assert torch.equal(read.images, upright)
    assert torch.equal(read.labels, classes)


@pytest.mark.parametrize("dataset", DATASETS)
def test_torchvision_names_a_source_for_each_file(dataset):
    held = [name for archive in archives(DATASETS[dataset]) for name in archive.files]

    assert held == list(DATASETS[dataset].all_files)
    for archive in archives(DATASETS[dataset]):
        assert len(archive.md5) == 32
        assert archive.urls
        assert all(url.startswith("http") for url in archive.urls)


def test_emnist_is_transposed_upright(tmp_path):
    spec = DATASETS["EMNIST"]
    stored = np.zeros((1, 28, 28), np.uint8)
    stored[0, 20, 2] = 255
    content = [idx(stored), idx(labels(1))]
    place(dict(zip(spec.files["test"], content, strict=True)), tmp_path)

    read = read_split(spec, "test", tmp_path)

    assert read.images.nonzero().tolist() == [[0, 2, 20]]
    assert read.images.is_contiguous()


def test_the_data_hash_is_that_of_both_files_hashes(tmp_path):
    files = small_files("FashionMNIST")
    place(files, tmp_path)

    both = sha256(files[IMAGES]) + sha256(files[LABELS])
    identity = read_split(FASHION, "train", tmp_path).sha256
    assert identity == hashlib.sha256(both.encode()).hexdigest()


def test_the_hash_without_decoding_is_that_of_the_files_now(tmp_path):
    place(small_files("FashionMNIST"), tmp_path)
    before = files_sha256(FASHION, "train", tmp_path)
    assert before == files_sha256(FASHION, "train", tmp_path)
    assert before == read_split(FASHION, "train", tmp_path).sha256

    (tmp_path / "new").write_bytes(idx(labels(20)[::-1].copy()))  # of the same size
    (tmp_path / "new").replace(tmp_path / LABELS)
    now = files_sha256(FASHION, "train", tmp_path)
    assert before != now == read_split(FASHION, "train", tmp_path).sha256
    (tmp_path / IMAGES).unlink()
    assert files_sha256(FASHION, "train", tmp_path) == ""


def test_the_other_split_may_be_missing_or_unreadable(tmp_path):
    files = small_files("FashionMNIST")
    place({name: files[name] for name in FASHION.files["train"]}, tmp_path)
    assert len(read_split(FASHION, "train", tmp_path).images) == 20

    for name in FASHION.files["test"]:
        (tmp_path / name).symlink_to(name)  # to itself: even a stat of it fails
    assert len(read_split(FASHION, "train", tmp_path).images) == 20
    with pytest.raises(UnusableError):
        read_split(FASHION, "test", tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (LABELS, idx(labels(20)) + b"\n", "29 bytes"),
        (IMAGES, idx(images(20)) + b"\n", "15697 bytes"),
        (IMAGES, b"", "nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_file_is_reported_with_its_fault(tmp_path, name, content, fault):
    place({**small_files("FashionMNIST"), name: content}, tmp_path)

    with pytest.raises(UnusableError) as caught:
        read_split(FASHION, "train", tmp_path)

    assert list(caught.value.faults) == [name]
    assert f"{tmp_path / name} holds" in str(caught.value) or "starts with" in str(caught.value)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "other"),
    [
        (LABELS, idx(np.arange(1, 21).astype(np.uint8)), "the label 10"),  # letters
        (LABELS, idx(np.zeros((20, 1), np.uint8)), "uint8 (20, 1)"),
        (LABELS, idx(np.zeros(20, np.int32)), "int32 (20,)"),
        (LABELS, idx(np.full((20, 8), -1, np.int32)), "the label -1"),
        (LABELS, idx(np.zeros((20, 7), np.int32)), "int32 (20, 7)"),
        (IMAGES, idx(images(20)[:, 1:]), "uint8 (20, 27, 28)"),
        (IMAGES, idx(images(20).astype(np.int32)), "int32 (20, 28, 28)"),
        (IMAGES, idx(images(20)[0]), "uint8 (28, 28)"),
        (
            IMAGES,
            idx(images(0)),
            "no images; give grey ones, uint8 (N, 28, 28)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_users_own_file_is_refused_and_stays(monkeypatch, tmp_path, name, content, other):
    place({**small_files("FashionMNIST"), name: content}, FASHION.folder(tmp_path))
    monkeypatch.setattr(download, "_refresh", lambda *_: pytest.fail("would replace it"))

    with pytest.raises(UserError) as caught:
        download.load("FashionMNIST", "train", tmp_path)

    assert str(caught.value).startswith(f"{FASHION.folder(tmp_path) / name} holds {other}")
    assert str(caught.value).endswith("remove the file so that the original is fetched")


def test_unequal_counts_are_a_fault_of_both_files(tmp_path):
    place({**small_files("FashionMNIST"), LABELS: idx(labels(19))}, tmp_path)

    with pytest.raises(UnusableError, match="20 images for 19 labels") as caught:
        read_split(FASHION, "train", tmp_path)

    assert list(caught.value.faults) == [IMAGES, LABELS]


def test_all_faults_are_reported(tmp_path):
    with pytest.raises(UnusableError, match=f"{IMAGES} is missing and .*{LABELS} is missing"):
        read_split(FASHION, "train", tmp_path)


def test_a_changed_pixel_is_found_by_the_noted_hash(tmp_path):
    files = small_files("FashionMNIST")
    changed = files[IMAGES][:-1] + bytes([files[IMAGES][-1] ^ 1])
    place({**files, IMAGES: changed}, tmp_path)
    assert len(read_split(FASHION, "train", tmp_path).images) == 20  # nothing is known of the file

    note_hash(FASHION, tmp_path, IMAGES, sha256(files[IMAGES]))

    with pytest.raises(UnusableError, match=f"{IMAGES} is damaged: .*{sha256(changed)}"):
        read_split(FASHION, "train", tmp_path)


def test_a_changed_pixel_of_mnist_is_found_by_the_pinned_hash(tmp_path):
    place(small_files("MNIST"), tmp_path)

    with pytest.raises(UnusableError, match="not ba891046e6505d7aadcbbe25680a0738"):
        read_split(DATASETS["MNIST"], "train", tmp_path)


def test_noted_hashes_are_in_the_format_of_sha256sum(tmp_path):
    note_hash(FASHION, tmp_path, "b", "1" * 64)
    note_hash(FASHION, tmp_path, "a", "2" * 64)
    note_hash(FASHION, tmp_path, "b", "3" * 64)

    assert (tmp_path / "SHA256SUMS").read_text() == f"{'2' * 64}  a\n{'3' * 64}  b\n"


def test_an_invalid_manifest_is_ignored(tmp_path):
    place(small_files("FashionMNIST"), tmp_path)
    (tmp_path / "SHA256SUMS").write_bytes(b"\xff\xfe nonsense\n123  " + IMAGES.encode() + b"\n")

    assert len(read_split(FASHION, "train", tmp_path).images) == 20
