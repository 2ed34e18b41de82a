"""Complete, missing or damaged data; folders, locks and clocks."""

import os
import time

import pytest

from lit_mnist.data.datasets import DATASETS
from lit_mnist.data.read import note_hash
from lit_mnist.doctor import storage
from tests.small_sets import place, sha256, small_files

KMNIST = DATASETS["KMNIST"]


@pytest.fixture
def folder(tmp_path):
    folder = KMNIST.folder(tmp_path)
    files = small_files("KMNIST")
    place(files, folder)
    for name, content in files.items():
        note_hash(KMNIST, folder, name, sha256(content))
    return folder


def verdicts(data_dir, **options):
    return [
        (one.verdict, one.text, one.remedy) for one in storage.data(KMNIST, data_dir, **options)
    ]


def test_complete_data(tmp_path, folder):
    train, test = verdicts(tmp_path)
    message = f"20 images in {folder}, SHA-256 as expected"
    assert train == ("ok", f"KMNIST, train: {message}", "")
    assert test[0] == "ok"


def test_user_data_have_no_known_hash(tmp_path, folder):
    (folder / "SHA256SUMS").unlink()
    assert "no SHA-256 is known beforehand" in verdicts(tmp_path)[0][1]


@pytest.mark.parametrize(
    ("download", "verdict", "remedy"),
    [(True, "warning", "the first run that needs them"), (False, "error", "put them there")],
)
def test_missing_data(tmp_path, folder, download, verdict, remedy):
    (folder / KMNIST.files["test"][0]).unlink()
    train, test = verdicts(tmp_path, download=download)
    assert train[0] == "ok"
    assert test[:2] == (verdict, f"KMNIST, test: no t10k-images-idx3-ubyte in {folder}")
    assert remedy in test[2]
    assert not (folder / KMNIST.files["test"][0]).exists()


@pytest.mark.parametrize("download", [True, False])
def test_damaged_data(tmp_path, folder, download):
    name = KMNIST.files["train"][0]
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    train, test = verdicts(tmp_path, download=download)
    assert train[0] == "error"
    assert f"{folder / name} is damaged: its SHA-256 is" in train[1]
    assert ("downloads it again" in train[2]) == download
    assert test[0] == "ok"


def test_a_damaged_and_a_missing_file_count_as_damaged(tmp_path, folder):
    images, labels = KMNIST.files["train"]
    (folder / images).unlink()
    (folder / labels).write_bytes(b"no IDX")
    assert verdicts(tmp_path)[0][0] == "error"


def checks(log_dir):
    return {one.check: one for one in storage.log_folder(log_dir)}


def test_a_missing_log_folder_is_not_created(tmp_path):
    found = checks(tmp_path / "tb_logs/deep")
    assert list(found) == ["log folder", "clock", "locks", "disk"]
    assert {one.verdict for one in found.values()} == {"ok"}
    assert not list(tmp_path.iterdir())


def test_a_log_folder_that_is_a_file_is_reported(tmp_path):
    (tmp_path / "tb_logs").touch()
    [found] = storage.log_folder(tmp_path / "tb_logs")
    assert (found.verdict, found.remedy) == ("error", "choose another --log_dir")
    assert "cannot be written to (Not a directory)" in found.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_log_folder_is_reported(tmp_path):
    tmp_path.chmod(0o500)
    [found] = storage.log_folder(tmp_path)
    assert (found.check, found.verdict) == ("log folder", "error")


@pytest.mark.parametrize(
    ("free", "verdict"), [(2e9, "ok"), (0.9e9, "warning"), (0.05e9, "error"), (0, "error")]
)
def test_disk(tmp_path, free, verdict):
    assert storage.disk(free, tmp_path).verdict == verdict


class NoLock:
    """A lock of a file system that grants every lock."""

    def __init__(self, path):
        pass

    def acquire(self, **_):
        return self

    __enter__ = acquire

    def __exit__(self, *_):
        pass


def test_file_locks_without_effect_are_reported(tmp_path, monkeypatch):
    assert storage.locks(tmp_path / "probe", tmp_path).verdict == "ok"
    monkeypatch.setattr(storage, "FileLock", NoLock)
    assert storage.locks(tmp_path / "probe", tmp_path).verdict == "error"


def test_a_system_without_file_locks_is_reported(tmp_path, monkeypatch):
    def no_lock(_):
        raise NotImplementedError("no flock")

    monkeypatch.setattr(storage, "FileLock", no_lock)
    found = storage.locks(tmp_path / "probe", tmp_path)
    assert (found.verdict, found.text) == ("error", f"not supported at {tmp_path} (no flock)")


def test_clocks():
    now = time.time()
    assert storage.clock(now, now - 1).verdict == "ok"
    apart = storage.clock(now, now + 600)
    assert apart.verdict == "warning"
    assert "differs by 600 s" in apart.text
    assert "before this package" in storage.clock(0.0, 0.0).text
