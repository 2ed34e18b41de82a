"""The ledger of the test set: each test adds a line."""

import csv
from datetime import UTC, datetime

import pytest

from lit_mnist.runs import ledger

SHA = "ab" * 32


def note(folder, accuracy=0.99, loss=0.1, errors=100):
    return ledger.note(folder, SHA, accuracy, loss, errors)


def lines(folder):
    with (folder / "ledger.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_test_adds_a_line_and_is_counted(tmp_path):
    assert [note(tmp_path, accuracy) for accuracy in (0.9974, 0.9969, 0.9974)] == [1, 2, 3]
    table = lines(tmp_path)
    assert [row["test_acc"] for row in table] == ["0.997400", "0.996900", "0.997400"]
    assert {row["weights_sha256"] for row in table} == {SHA}
    assert (table[0]["test_loss"], table[0]["test_errors"]) == ("0.100000", "100")
    ages = [datetime.now(UTC) - datetime.fromisoformat(row["when"]) for row in table]
    assert all(-1 <= age.total_seconds() < 60 for age in ages)


LOOK = f"2026-01-01T00:00:00+00:00,{SHA},0.990000,0.100000,100\n".encode()
HEADER = b"when,weights_sha256,test_acc,test_loss,test_errors\n"


@pytest.mark.parametrize(
    ("before", "looks", "damaged"),
    [
        (b"", 0, []),  # cut to nothing
        (LOOK, 1, []),  # without its header
        (HEADER + LOOK.replace(b"\n", b"\r\n"), 1, []),
        (HEADER + LOOK[:20], 1, [2]),  # a torn line
        (HEADER + LOOK[:-1], 1, []),
        (HEADER + LOOK + b"\xff\0\n" + LOOK, 3, [3]),
        (HEADER + LOOK.replace(b",100", b",100,5") + LOOK.replace(b"0.1", b"x"), 2, [2, 3]),
        (HEADER + LOOK.replace(b",100", b""), 1, [2]),
        (b"\xff\xfe\nnot a ledger\n", 1, [1, 2]),
    ],
)
def test_a_damaged_ledger_prevents_no_test_and_loses_no_byte(tmp_path, before, looks, damaged):
    (tmp_path / "ledger.csv").write_bytes(before)
    found = ledger.read(tmp_path)
    assert (len(found.looks), found.damaged) == (looks, damaged)
    assert note(tmp_path) == looks + 1
    after = (tmp_path / "ledger.csv").read_bytes()
    assert after.startswith(before)
    assert after.endswith(f",{SHA},0.990000,0.100000,100\n".encode())
    assert ledger.read(tmp_path).looks[-1]["test_errors"] == "100"
    assert note(tmp_path) == looks + 2


def test_training_afresh_keeps_the_ledger(run_cli, fitted, here):
    folder = here / "tb_logs" / "dense" / "seed_42"
    once = ("--trainer.max_epochs", "1")
    run_cli("test")
    first = (folder / "ledger.csv").read_text()
    run_cli("fit", *once, "--fresh", "--model.lr", "0.002")
    assert (folder / "ledger.csv").read_text() == first
    assert run_cli("test", *once)[0] == 0
    assert (folder / "ledger.csv").read_text().startswith(first)
    before, after = (row["weights_sha256"] for row in lines(folder))
    assert before != after
