"""Files are replaced whole or not at all."""

import contextlib

from lit_mnist.files import replacing, write_json, write_text


def test_replaces_the_file_and_leaves_nothing_beside_it(tmp_path):
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
