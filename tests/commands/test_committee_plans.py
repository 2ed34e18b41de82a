"""What `committee` says of a committee that is tested already."""

from pathlib import Path

from lit_mnist.data import read
from lit_mnist.data.datasets import DATASETS
from lit_mnist.runs.folder import Run
from tests.conftest import SMALL

OWN = Run(Path("tb_logs/dense/committee_3"))


def reads():
    """How often the test set was read, by results.json and by the ledger."""
    return OWN.results()["test_reads"], OWN.file("ledger.csv").read_text().count("\n") - 1


def test_lost_votes_and_pictures_are_named_with_what_writes_them_again(call):
    votes = OWN.votes.read_bytes()
    for path in (OWN.votes, OWN.file("confusion.png")):
        path.unlink()
    status, output, problems = call("committee", "--members", "3")
    assert status == 0
    assert f"{OWN.folder} is tested" in output
    assert problems == (
        f"{OWN.folder}: votes.csv, confusion.png are gone; remove its predictions.csv, and the"
        " same command reads the test set again and writes all\n"
    )
    assert reads() == (1, 1)
    OWN.predictions.unlink()
    status, _, problems = call("committee", "--members", "3")
    assert (status, problems) == (0, "")
    assert OWN.votes.read_bytes() == votes
    assert OWN.file("confusion.png").exists()
    assert reads() == (2, 2)


def test_the_test_files_are_not_opened_with_skip_test(call, monkeypatch):
    opened, original = [], read.read_bytes
    monkeypatch.setattr(read, "read_bytes", lambda path: opened.append(path.name) or original(path))
    read._file_sha256.cache_clear()
    assert Path("tb_logs/dense/seed_42/predictions.csv").exists()  # all are tested
    status, output, problems = call("committee", "--members", "3", "--skip_test")
    assert (status, problems) == (0, "")
    assert "val_acc" in output
    assert set(opened) == set(DATASETS[SMALL].files["train"])
    assert call("committee", "--members", "3")[0] == 0  # which looks for changed test images
    assert set(opened) == set(DATASETS[SMALL].all_files)
