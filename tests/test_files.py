"""Files are replaced completely or not at all."""

import contextlib

import pytest

from lit_mnist.files import remove_temporaries, replacing, write_json, write_text


def test_replaces_the_file_without_leftovers(tmp_path):
    path = tmp_path / "new folder" / "a.json"
    write_text(path, "old")
    write_json(path, {"a": 1})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert list(path.parent.iterdir()) == [path]


def test_keeps_the_old_file_if_writing_fails(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with contextlib.suppress(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half of the ne")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_temporary_files_that_nobody_writes_any_more_are_removed(tmp_path):
    path, left = tmp_path / "a.txt", tmp_path / ".a.txt.0123abcd.tmp"
    left.touch()
    with replacing(path) as temporary:
        remove_temporaries(tmp_path)
        assert list(tmp_path.iterdir()) == [temporary]
        temporary.write_text("new")
        remove_temporaries(tmp_path)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_is_kept_until_it_is_in_place(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: remove_temporaries(tmp_path))
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_failure_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "a.txt"
    path.mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        write_text(path, "new")
    assert caught.value.filename == str(path)
    with pytest.raises(OSError, match="No space") as caught, replacing(tmp_path / "b"):
        raise OSError(28, "No space left on device")  # as a write says it, without a name
    assert caught.value.filename == str(tmp_path / "b")


def test_only_folders_created_for_a_failed_file_are_removed(tmp_path):
    kept = tmp_path / "there"
    kept.mkdir()
    with pytest.raises(ValueError, match="halfway"), replacing(kept / "a" / "b" / "file"):
        raise ValueError("halfway")
    assert list(tmp_path.rglob("*")) == [kept]
