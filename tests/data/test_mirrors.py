import pytest
from torchvision.datasets import mnist

from lit_mnist.data import mirrors
from lit_mnist.data.datasets import DATASETS
from lit_mnist.errors import UserError
from tests.small_sets import NOWHERE, mirrored, publish, small_files


def fetch(dataset, scratch, names=None):
    """Name and content of the files received, and the error message if some are missing."""
    spec, fetched = DATASETS[dataset], {}
    try:
        for path in mirrors.fetch(spec, names or spec.all_files, scratch):
            fetched[path.name] = path.read_bytes()
    except UserError as error:
        return fetched, str(error)
    return fetched, ""


@pytest.fixture
def short_timeout(monkeypatch):
    monkeypatch.setattr(mirrors, "TIMEOUT_S", 0.3)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_good_mirror_serves_each_dataset(monkeypatch, tmp_path, dataset):
    with mirrored(monkeypatch, dataset, None) as (files, (mirror,)):
        assert fetch(dataset, tmp_path) == (files, "")

    assert len(mirror.requests) == len(set(mirror.requests)) == (1 if dataset == "EMNIST" else 4)
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_only_requested_files_are_downloaded(monkeypatch, tmp_path):
    wanted = ["t10k-labels-idx1-ubyte"]
    with mirrored(monkeypatch, "KMNIST", None) as (files, (mirror,)):
        assert fetch("KMNIST", tmp_path, wanted) == ({wanted[0]: files[wanted[0]]}, "")

    assert mirror.requests == ["t10k-labels-idx1-ubyte.gz"]


@pytest.mark.parametrize(
    ("fault", "requests"), [("403", 4), ("reset", 4), ("short", 4), ("wrong", 4), ("stall", 1)]
)
def test_the_second_mirror_is_used_if_the_first_fails(
    monkeypatch, tmp_path, short_timeout, fault, requests
):
    with mirrored(monkeypatch, "KMNIST", fault, None) as (files, (bad, good)):
        assert fetch("KMNIST", tmp_path) == (files, "")

    assert len(bad.requests) == requests  # a stalled one is not waited for again
    assert len(good.requests) == 4


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("403", "HTTP status 403"),
        ("reset", "Connection reset by peer"),
        ("short", "came with MD5"),
        ("wrong", "came with MD5"),
        ("stall", "timed out"),
    ],
)
def test_the_reason_is_given_for_each_mirror(monkeypatch, tmp_path, short_timeout, fault, reason):
    with mirrored(monkeypatch, "KMNIST", fault) as (_, (bad,)):
        fetched, message = fetch("KMNIST", tmp_path)

    assert fetched == {}
    assert message.startswith(bad.url.removeprefix("http://").rstrip("/") + ": ")
    assert reason in message
    assert "\n" not in message


def test_an_unreachable_mirror_is_tried_once(monkeypatch, tmp_path):
    attempts = []
    publish(monkeypatch, "KMNIST", small_files("KMNIST"), [NOWHERE])
    urlopen = mirrors.urlopen
    monkeypatch.setattr(
        mirrors, "urlopen", lambda *args, **more: attempts.append(1) or urlopen(*args, **more)
    )

    assert fetch("KMNIST", tmp_path) == ({}, "127.0.0.1:9: Connection refused")
    assert len(attempts) == 1


def test_available_files_are_yielded_before_the_error(monkeypatch, tmp_path):
    with mirrored(monkeypatch, "KMNIST", None) as (files, _):
        (name, _), *others = mnist.KMNIST.resources
        monkeypatch.setattr(mnist.KMNIST, "resources", [(name, "0" * 32), *others])
        fetched, message = fetch("KMNIST", tmp_path)

    assert fetched == dict(list(files.items())[1:])
    assert f"{name} came with MD5" in message


def test_a_log_has_one_line_per_file_and_no_bar(monkeypatch, tmp_path, capsys):
    with mirrored(monkeypatch, "KMNIST", None) as (_, (mirror,)):
        fetch("KMNIST", tmp_path)

    out, err = capsys.readouterr()
    assert err == ""
    assert "\r" not in out
    assert [line.split(" (")[0] for line in out.splitlines()] == [
        f"fetching {mirror.url}{name}" for name in mirror.requests
    ]
